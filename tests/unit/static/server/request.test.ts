import { expect, test } from "vitest";
import { asOverflow, refusal, serverFault } from "../../../../static/src/server/request";

const ADDRESS = "http://localhost:1/v1/chat/completions";

// Bodies as these servers write them.
const LLAMA_CPP = {
  error: {
    code: 400,
    message:
      "request (931 tokens) exceeds the available context size (512 tokens), try increasing it",
    type: "exceed_context_size_error",
    n_prompt_tokens: 931,
    n_ctx: 512,
  },
};
const OPENAI = {
  error: {
    message: "This model's maximum context length is 512 tokens.",
    type: "invalid_request_error",
    param: "messages",
    code: "context_length_exceeded",
  },
};
const VLLM = {
  error: {
    message: "This model's maximum context length is 512 tokens. However, you requested 600.",
    type: "BadRequestError",
    code: 400,
  },
};

test.each([
  ["llama.cpp", LLAMA_CPP, { tokens: 931, context: 512 }],
  ["OpenAI", OPENAI, {}],
  ["vLLM", VLLM, {}],
])("a full context of %s is the engine's own error", (_, body, values) => {
  expect(refusal(ADDRESS, 400, JSON.stringify(body))).toMatchObject({
    name: "WebkilnError",
    code: "context-overflow",
    values,
  });
});

test.each([
  [401, "server-token"],
  [403, "server-token"],
  [404, "server-missing"],
  [400, "server-refused"],
  [500, "server-refused"],
  [503, "server-refused"],
])("status %i is %s, with the server's own words", (status, code) => {
  const body = JSON.stringify({ error: { message: "Invalid API Key", code: status } });
  expect(refusal(ADDRESS, status, body)).toMatchObject({
    code,
    message: `${ADDRESS} answered ${status}: Invalid API Key`,
    values: { address: ADDRESS, status, said: "Invalid API Key" },
  });
});

test.each([
  ['{"error": "model not found"}', "model not found"],
  ['{"detail": "Not Found"}', "Not Found"],
  ['{"detail": [{"msg": "field required"}]}', '[{"msg":"field required"}]'],
  ['{"message": "busy"}', "busy"],
  ['{"error": {"code": 7}}', '{"code":7}'],
])("the fault in %s", (body, message) => {
  expect(serverFault(body)?.message).toBe(message);
});

test.each(["", "<h1>Bad gateway</h1>", "null", "[]", "{}", '{"error": null}', "3"])(
  "no fault in %s",
  (body) => {
    expect(serverFault(body)).toBeNull();
    expect(refusal(ADDRESS, 502, body).message).toBe(`${ADDRESS} answered 502`);
  },
);

test("a fault that is about something else is no overflow", () => {
  const fault = serverFault({ error: { message: "max_tokens is too large", code: "invalid" } });
  expect(fault && asOverflow(fault)).toBeNull();
});
