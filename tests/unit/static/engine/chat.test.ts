import { describe, expect, test } from "vitest";
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

describe("an answer that was cut short", () => {
  const turns = (content: string) => [...user, { role: "assistant" as const, content }];
  const template = new ChatTemplate(
    "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}</s>{% endfor %}" +
      "{% if add_generation_prompt %}<assistant>{% endif %}",
    {},
  );

  test("is where the prompt ends", () => {
    expect(template.render(turns("So hi"), true)).toBe("<user>hi</s><assistant>So hi");
    expect(template.render(turns("\n So hi \n"), true)).toBe("<user>hi</s><assistant>So hi");
  });

  test("without being asked to go on, it has ended", () => {
    expect(template.render(turns("So"))).toBe("<user>hi</s><assistant>So</s><assistant>");
  });

  test("a template that leaves it out is told", () => {
    const silent = new ChatTemplate("{{ messages[0].content }}", {});
    expect(() => silent.render(turns("So"), true)).toThrow(/changes answers/);
  });
});
