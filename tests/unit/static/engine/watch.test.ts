import { expect, test } from "vitest";
import type { EngineInfo } from "../../../../static/src/engine/api";
import { Watch } from "../../../../static/src/engine/watch";

function watched() {
  const log: string[] = [];
  const marker = {
    begin: (variant: string) => void log.push(`begin ${variant}`),
    end: (outcome: string) => void log.push(`end ${outcome}`),
    crashed: (variant: string) => void log.push(`crashed ${variant}`),
  };
  const chronicle = {
    trying: (variant: string) => void told.push(`trying ${variant}`),
    runs: (info: EngineInfo) => void told.push(`runs as ${info.variant}`),
    failed: (error: unknown) => void told.push(`failed: ${error}`),
    answered: (info: EngineInfo) => void told.push(`answered as ${info.variant}`),
  };
  const told: string[] = [];
  const heard: EngineInfo[] = [];
  const watch = new Watch({ onChange: (info) => void heard.push(info) }, marker, chronicle);
  return { watch, log, heard, told };
}

const INFO = { variant: "f32" } as EngineInfo;

test("marks what loads, and its end", () => {
  const { watch, log } = watched();
  watch.loading("f16");
  watch.loaded("failed");
  expect(log).toEqual(["begin f16", "end failed"]);
});

test("a worker that dies while it computes marks the variant in use", () => {
  const { watch, log } = watched();
  watch.info = INFO;
  watch.lost(["count", "chat"]);
  expect(log).toEqual(["end crashed", "crashed f32"]);
});

test("one that dies while it loads marks what was loading, one that idles nothing", () => {
  const { watch, log } = watched();
  watch.lost(["load"]);
  watch.info = INFO;
  watch.lost([]);
  watch.lost(["tokenize"]);
  // Ending marks only what is under way.
  expect(log).toEqual(["end crashed", "end crashed", "end crashed"]);
});

test("a change is kept and told", () => {
  const { watch, heard } = watched();
  watch.change(INFO);
  expect(watch.info).toBe(INFO);
  expect(heard).toEqual([INFO]);
});
