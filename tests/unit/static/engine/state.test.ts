import { expect, test } from "vitest";
import { GREEDY } from "../../../../static/src/engine/requests";
import { controlState } from "../../../../static/src/engine/state";
import { Control } from "../../../../static/src/plan";

test("stop tokens end before what a step takes", () => {
  const most = Array.from({ length: Control.TAKEN - Control.STOP }, (_, index) => 100 + index);
  const control = controlState(3, 64, GREEDY, most);
  expect([...control.subarray(Control.STOP, Control.TAKEN)]).toEqual(most);
  expect(control[Control.TAKEN]).toBe(0);
  expect(() => controlState(3, 64, GREEDY, [...most, 1])).toThrow(
    expect.objectContaining({
      code: "bad-bundle",
      message: "the model has 42 stop tokens; at most 41 are supported",
    }),
  );
});
