import { expect, test } from "vitest";
import { connection } from "../../../../static/src/device/connection";

test.each([
  [{}, false],
  [{ saveData: true }, true],
  [{ type: "cellular" }, true],
  [{ type: "wifi" }, false],
  [{ type: "wifi", saveData: true }, true],
])("%j is metered: %s", (network, metered) => {
  expect(connection({ onLine: true, connection: network })).toMatchObject({ metered });
});

test("a browser that tells nothing is taken as online and not metered", () => {
  expect(connection({})).toEqual({ online: true, metered: false, saveData: false, type: null });
});
