import { expect, test } from "vitest";
import { modelName, readModels } from "../../../../static/src/server/models";

test("the models of a server, with the context where it tells", () => {
  const data = [
    { id: "smollm2", object: "model" },
    { id: "/models/a.gguf", meta: { n_ctx: 512, n_ctx_train: 8192 } },
    { id: "qwen", max_model_len: 4096 },
    { id: "odd", meta: null, max_model_len: -1 },
    { id: "" },
    { name: "no id" },
    null,
    "text",
  ];
  expect(readModels({ object: "list", data })).toEqual([
    { id: "smollm2", context: null },
    { id: "/models/a.gguf", context: 512 },
    { id: "qwen", context: 4096 },
    { id: "odd", context: null },
  ]);
});

test.each([null, [], {}, { data: {} }, "text", 3])("%j is no list", (value) => {
  expect(readModels(value)).toEqual([]);
});

test("a path is shown as its file", () => {
  expect(modelName("/home/me/SmolLM2.Q4_1.gguf")).toBe("SmolLM2.Q4_1.gguf");
  expect(modelName("C:\\models\\a.gguf")).toBe("a.gguf");
  expect(modelName("meta-llama/Llama-3.2-1B")).toBe("meta-llama/Llama-3.2-1B");
});
