import { expect, test } from "vitest";
import { checkRoom, chooseContext } from "../../../../static/src/engine/context";
import { manifest } from "../bundle";

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
