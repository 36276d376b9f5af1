import { expect, test } from "vitest";
import { requestBody } from "../../../../static/src/server/chat";

const messages = [{ role: "user" as const, content: "Hi" }];
const HEAD = { model: "m", messages, stream: true, stream_options: { include_usage: true } };

test("OpenAI's fields go as they are", () => {
  const openai = {
    temperature: 0,
    top_p: 0.9,
    presence_penalty: 0,
    frequency_penalty: 0.5,
    seed: 7,
    max_tokens: 16,
    stop: ["\n"],
  };
  expect(requestBody("m", { messages, ...openai })).toEqual({ ...HEAD, ...openai });
});

test("settings only some servers know are sent where they are more than the default", () => {
  const off = { top_k: 0, min_p: 0, repetition_penalty: 1 };
  expect(requestBody("m", { messages, ...off })).toEqual(HEAD);
  const on = { top_k: 40, min_p: 0.1, repetition_penalty: 1.2 };
  expect(requestBody("m", { messages, ...on })).toEqual({ ...HEAD, ...on, repeat_penalty: 1.2 });
});

test("what is the engine's own stays here", () => {
  const signal = new AbortController().signal;
  expect(requestBody("m", { messages, speculation: "on", signal })).toEqual(HEAD);
});
