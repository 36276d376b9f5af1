import { expect, test } from "vitest";
import { type EngineInfo, type Usage, WebkilnError } from "../../../../static/src/engine/api";
import { Chronicle } from "../../../../static/src/engine/chronicle";

function chronicle(context = 0) {
  const log: string[] = [];
  const history = {
    answered: (way: object, context: number) => void log.push(`${JSON.stringify(way)} ${context}`),
    ranOutOfMemory: (way: { variant: string }, context: number) =>
      void log.push(`${way.variant} full at ${context}`),
  };
  return { log, made: new Chronicle("sha256-1", context, history) };
}

const FULL = new WebkilnError("out-of-memory", "", "");

test("an answer belongs to the variant that gave it", () => {
  const { log, made } = chronicle();
  made.answered({ variant: "f32", context: 512 } as EngineInfo, {} as Usage);
  expect(log).toEqual(['{"model":"sha256-1","variant":"f32"} 512']);
});

test("rungs that had no room on the way down are noted", () => {
  const { log, made } = chronicle();
  const rungs = [
    { variant: "f16", causes: [{ code: "fault", error: "out-of-memory" }] },
    { variant: "f32", causes: [{ code: "fault", error: "wrong-answer" }] },
    { variant: "wasm", causes: [] },
  ];
  made.runs({ context: 512, report: { rungs } } as unknown as EngineInfo);
  expect(log).toEqual(["f16 full at 512"]);
});

test("a load that ends for lack of memory is noted under what was tried last", () => {
  const { log, made } = chronicle(2048);
  made.failed(FULL); // before anything was tried
  made.trying("f32");
  made.trying("wasm");
  made.failed(new WebkilnError("network", "", ""));
  expect(log).toEqual([]);
  made.failed(FULL);
  expect(log).toEqual(["wasm full at 2048"]);
});
