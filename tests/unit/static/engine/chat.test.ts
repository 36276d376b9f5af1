import { expect, test } from "vitest";
import { ChatTemplate } from "../../../../static/src/engine/chat";

const user = [{ role: "user" as const, content: "hi" }];

test("what a template raises becomes a bad request in its own words", () => {
  const strict = new ChatTemplate(
    "{% if messages[0].role != 'system' %}{{ raise_exception('system first') }}{% endif %}",
    {},
  );
  expect(() => strict.render(user)).toThrow(/system first/);
  expect(() => strict.render(user)).toThrow(expect.objectContaining({ code: "bad-request" }));
});

test("templates can ask for today's date", () => {
  const text = new ChatTemplate("{{ strftime_now('%Y') }}", {}).render(user);
  expect(text).toBe(String(new Date().getFullYear()));
});

test("a model without a template says so", () => {
  const none = new ChatTemplate("", {});
  expect(() => none.render(user)).toThrow(expect.objectContaining({ code: "bad-request" }));
});

test("a template that cannot be parsed is the bundle's fault", () => {
  expect(() => new ChatTemplate("{% if %}", {})).toThrow(
    expect.objectContaining({ code: "bad-bundle" }),
  );
});
