import { expect, test } from "vitest";
import { prefillOf, verifyOf } from "../../../../static/src/backends/backend";
import { plan } from "../bundle";

test("prompts take the largest prefill function, guesses the verify function", () => {
  const made = plan();
  const fn = { rows: 0, outputs: {}, steps: [] };
  made.functions = {
    decode: { ...fn, rows: 1 },
    prefill_32: { ...fn, rows: 32 },
    prefill_128: { ...fn, rows: 128 },
    verify_4: { ...fn, rows: 4 },
  };
  expect(prefillOf(made)).toEqual({ name: "prefill_128", rows: 128 });
  expect(verifyOf(made)).toEqual({ name: "verify_4", rows: 4 });
  expect(verifyOf(plan())).toBe(null);
});
