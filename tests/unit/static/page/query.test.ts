import { expect, test } from "vitest";
import { parseQuery } from "../../../../static/src/page/query";

test("every parameter is read", () => {
  expect(parseQuery("?model=smol&variant=f32&context=512&autoload")).toEqual({
    model: "smol",
    variant: "f32",
    context: 512,
    autoload: true,
    problems: [],
  });
});

test("nothing asked for is nothing set", () => {
  expect(parseQuery("")).toEqual({ autoload: false, problems: [] });
});

test.each(["0", "-1", "1e3", "x", "1.5", ""])("a context of %j is named and left out", (value) => {
  const query = parseQuery(`?context=${value}`);
  expect(query.context).toBeUndefined();
  expect(query.problems).toEqual([
    `context=${value} is not a whole number of tokens; it is left out.`,
  ]);
});
