import { expect, test } from "vitest";
import { checkRoom, chooseContext } from "../../../../static/src/engine/context";
import { EMBEDDING, manifest } from "../bundle";

test("a prompt may fill the context and no more", () => {
  expect(() => checkRoom(512, 512)).not.toThrow();
  expect(() => checkRoom(513, 512)).toThrow(expect.objectContaining({ code: "context-overflow" }));
  expect(() => checkRoom(513, 512)).toThrow(/513 tokens.*512/);
});

test("the context is the manifest's default unless asked for, and never beyond the model's", () => {
  expect(chooseContext(manifest(), null)).toBe(64);
  expect(chooseContext(manifest(), 128)).toBe(128);
  expect(() => chooseContext(manifest(), 129)).toThrow(/129.*at most 128/);
});

test("an embedder's context holds a text between the tokens around it", () => {
  const embedding = { ...EMBEDDING, before: [1], after: [2] };
  expect(chooseContext({ ...manifest(), embedding }, 3)).toBe(3);
  expect(() => chooseContext({ ...manifest(), embedding }, 2)).toThrow(/is 2.*puts 2 tokens/);
});
