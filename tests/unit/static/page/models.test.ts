import { expect, test } from "vitest";
import { chooseModel, type Model } from "../../../../static/src/page/models";

const model = (name: string, embeds: boolean): Model => ({
  name,
  slug: name,
  urls: [`models/${name}/`],
  integrity: "",
  bytes: 1,
  embeds,
});
const MODELS = [model("minilm", true), model("llama", false)];

test("the first model that chats is offered", () => {
  expect(chooseModel(MODELS, undefined)?.name).toBe("llama");
});

test("an embedder is shown where it was asked for, or is all there is", () => {
  expect(chooseModel(MODELS, "minilm")?.name).toBe("minilm");
  expect(chooseModel(MODELS.slice(0, 1), undefined)?.name).toBe("minilm");
});
