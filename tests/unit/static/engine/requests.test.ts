import { describe, expect, test } from "vitest";
import type { ChatRequest } from "../../../../static/src/engine/api";
import {
  checkCount,
  checkEngineOptions,
  checkIds,
  resolveChat,
} from "../../../../static/src/engine/requests";

const messages = [{ role: "user" as const, content: "hi" }];
const resolve = (extra: object) =>
  resolveChat({ messages, ...extra } as ChatRequest, () => 4294967295);

test("an empty request gets every default", () => {
  expect(resolve({})).toEqual({
    messages,
    sampling: {
      temperature: 0.7,
      topP: 0.95,
      topK: 0,
      minP: 0,
      repetition: 1,
      presence: 0,
      frequency: 0,
      seed: 4294967295,
    },
    maxTokens: null,
    stop: [],
    speculation: "auto",
    continues: false,
  });
});

test("given settings are kept", () => {
  const { sampling, maxTokens, stop } = resolve({
    temperature: 0,
    top_k: 40,
    seed: -1,
    max_tokens: 5,
    stop: "END",
  });
  expect(sampling).toMatchObject({ temperature: 0, topK: 40, seed: -1 });
  expect([maxTokens, stop]).toEqual([5, ["END"]]);
});

test("an answer to go on with is the last message, and has a beginning", () => {
  const begun = (content: string, role = "assistant") =>
    resolve({ messages: [...messages, { role, content }], continue_final_message: true });
  expect(begun("So").continues).toBe(true);
  expect(() => begun("So", "user")).toThrow(/messages.*assistant/);
  expect(() => begun(" ")).toThrow(/messages.*assistant/);
  expect(() => resolve({ continue_final_message: 1 })).toThrow(/is 1; it must be true or false/);
});

describe("absurd values are refused by name, value and range", () => {
  test.each([
    [{ temperature: -1 }, /temperature is -1.*from 0 to 2/],
    [{ temperature: Number.NaN }, /temperature is NaN/],
    [{ speculation: true }, /speculation is true.*auto, on, off/],
    [{ temperature: "hot" }, /temperature is "hot"/],
    [{ temperature: null }, /temperature is null/],
    [{ top_p: 1.1 }, /top_p is 1.1.*from 0 to 1/],
    [{ top_k: 2.5 }, /top_k is 2.5.*whole number/],
    [{ min_p: 2 }, /min_p is 2/],
    [{ repetition_penalty: 0 }, /repetition_penalty is 0/],
    [{ presence_penalty: 3 }, /presence_penalty is 3.*from -2 to 2/],
    [{ frequency_penalty: -2.5 }, /frequency_penalty is -2.5/],
    [{ seed: 2 ** 32 }, /seed is 4294967296/],
    [{ max_tokens: 0 }, /max_tokens is 0.*whole number from 1 up/],
    [{ stop: ["a", "b", "c", "d", "e"] }, /stop.*at most 4/],
    [{ stop: "" }, /stop is ""/],
    [{ messages: [] }, /messages is \[\]/],
    [{ messages: [{ role: "robot", content: "" }] }, /messages\[0\]\.role is "robot"/],
    [{ messages: [...messages, { role: "user" }] }, /messages\[1\]\.content is undefined/],
    [{ messages: [null] }, /messages\[0\]\.role/],
    [{ max_new_tokens: 5 }, /max_new_tokens is not a setting/],
  ])("%j", (extra, message) => {
    expect(() => resolve(extra)).toThrow(message);
    expect(() => resolve(extra)).toThrow(expect.objectContaining({ code: "bad-request" }));
  });
});

test("token ids must be in the vocabulary", () => {
  expect(checkIds("ids", [0, 99], 100)).toEqual([0, 99]);
  expect(() => checkIds("ids", [3, 100], 100)).toThrow(/ids\[1\] is 100.*from 0 to 99/);
  expect(() => checkIds("ids", [undefined], 100)).toThrow(/ids\[0\]/);
  expect(() => checkIds("ids", [], 100)).toThrow(/ids/);
  expect(() => checkCount("count", undefined)).toThrow(/count/);
});

test("engine options are checked before anything is fetched", () => {
  const check = (extra: object) => () => checkEngineOptions({ model: "/m/", ...extra });
  expect(check({})).not.toThrow();
  expect(check({ model: "" })).toThrow(/model/);
  expect(check({ integrity: "md5-1" })).toThrow(/integrity/);
  expect(check({ backend: "cuda" })).toThrow(/backend is "cuda".*webgpu or wasm/);
  expect(check({ context: 0 })).toThrow(/context is 0/);
  expect(check({ threads: 64 })).not.toThrow();
  expect(check({ threads: 65 })).toThrow(/threads is 65.*1 to 64/);
});
