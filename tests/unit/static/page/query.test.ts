import { expect, test } from "vitest";
import { parseQuery } from "../../../../static/src/page/query";

test("every parameter is read", () => {
  expect(parseQuery("?model=smol&backend=wasm&variant=f32&threads=2&context=512&autoload")).toEqual(
    {
      model: "smol",
      backend: "wasm",
      variant: "f32",
      threads: 2,
      context: 512,
      autoload: true,
      problems: [],
    },
  );
});

test("nothing asked for is nothing set", () => {
  expect(parseQuery("")).toEqual({ autoload: false, problems: [] });
});

const WRONG = ["0", "-1", "1e3", "x", "1.5", ""];

test.each(WRONG)("a context of %j is named and left out", (value) => {
  const query = parseQuery(`?context=${value}`);
  expect(query.context).toBeUndefined();
  expect(query.problems).toEqual([
    `context=${value} is not a whole number of tokens; it is left out.`,
  ]);
});

test.each(WRONG)("threads of %j are named and left out", (value) => {
  const query = parseQuery(`?threads=${value}`);
  expect(query.threads).toBeUndefined();
  expect(query.problems).toEqual([
    `threads=${value} is not a whole number of threads; it is left out.`,
  ]);
});

test.each(["gpu", "WASM", ""])("a backend of %j is named and left out", (value) => {
  const query = parseQuery(`?backend=${value}`);
  expect(query.backend).toBeUndefined();
  expect(query.problems).toEqual([`backend=${value} is not webgpu or wasm; it is left out.`]);
});
