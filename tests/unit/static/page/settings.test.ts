import { describe, expect, test } from "vitest";
import {
  defaults,
  parseSettings,
  readNumber,
  requestOptions,
  SETTINGS,
  type Setting,
} from "../../../../static/src/page/settings";

function setting(name: string): Setting {
  const found = SETTINGS.find((candidate) => candidate.name === name);
  if (!found) throw new Error(name);
  return found;
}

describe("a number as typed", () => {
  test.each([
    ["temperature", " 0.5 ", 0.5],
    ["temperature", "0,5", 0.5],
    ["temperature", "0", 0],
    ["temperature", "2", 2],
    ["seed", "4294967295", 4294967295],
    ["seed", "", null],
    ["max_tokens", "", null],
    ["presence_penalty", "-2", -2],
  ])("%s %j is accepted", (name, text, value) => {
    expect(readNumber(setting(name), text)).toEqual({ value });
  });

  test.each([
    ["temperature", "2.1", "Temperature must be a number from 0 to 2."],
    ["temperature", "warm", "Temperature must be a number from 0 to 2."],
    ["temperature", "", "Temperature needs a number."],
    ["temperature", "NaN", "Temperature must be a number from 0 to 2."],
    ["seed", "1.5", "Seed must be a whole number from 0 to 4294967295."],
    ["seed", "-1", "Seed must be a whole number from 0 to 4294967295."],
    ["max_tokens", "0", "Longest answer, in tokens must be a whole number from 1 to 1000000."],
  ])("%s %j is refused", (name, text, message) => {
    expect(readNumber(setting(name), text)).toBe(message);
  });
});

test("every default is allowed by its own setting", () => {
  for (const each of SETTINGS) {
    const text = each.initial === null ? "" : String(each.initial);
    expect(readNumber(each, text)).toEqual({ value: each.initial });
  }
});

describe("stored settings", () => {
  test("survive the round trip", () => {
    const settings = defaults();
    settings.system = "Be brief.";
    settings.runOn = "wasm";
    settings.numbers.seed = 7;
    settings.numbers.top_p = 0.5;
    expect(parseSettings(JSON.stringify(settings))).toEqual(settings);
  });

  test.each([null, "", "{", "3", "null", '{"numbers":null}'])("%j gives the defaults", (text) => {
    expect(parseSettings(text)).toEqual(defaults());
  });

  test("a value that is no longer allowed is left out, the others stay", () => {
    const stored = {
      system: 3,
      runOn: "cloud",
      numbers: { temperature: 9, min_p: 0.1, seed: "7" },
    };
    const settings = parseSettings(JSON.stringify(stored));
    expect(settings).toEqual({ ...defaults(), numbers: { ...defaults().numbers, min_p: 0.1 } });
  });
});

test("a request carries what is set and leaves the rest to the engine", () => {
  const settings = defaults();
  settings.numbers.max_tokens = 64;
  const options = requestOptions(settings);
  expect(options).toMatchObject({ temperature: 0.7, max_tokens: 64 });
  expect(options).not.toHaveProperty("seed");
});
