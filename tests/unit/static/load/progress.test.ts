import { expect, test } from "vitest";
import type { Progress } from "../../../../static/src/engine/api";
import { ProgressMeter } from "../../../../static/src/load/progress";

test("the rate counts the network alone, over the last seconds", () => {
  let now = 0;
  const reports: Progress[] = [];
  const meter = new ProgressMeter(
    (progress) => reports.push(progress),
    () => now,
  );
  meter.restart(10_000);
  meter.setPhase("download");
  meter.addCached(4_000);
  for (let second = 1; second <= 5; second++) {
    now = second * 1000;
    meter.addNetwork(1_000);
  }
  expect(reports.at(-1)).toMatchObject({
    loaded: 9_000,
    cached: 4_000,
    rate: 1_000,
    secondsLeft: 1,
  });
});

test("a restart counts anew, from what is kept", () => {
  const reports: Progress[] = [];
  const meter = new ProgressMeter(
    (progress) => reports.push(progress),
    () => 0,
  );
  meter.restart(1000);
  meter.setPipelineTotal(5);
  meter.addPipeline();
  meter.addNetwork(700);
  meter.restart(600, 100);
  meter.setPhase("download");
  expect(reports.at(-1)).toEqual({
    phase: "download",
    loaded: 100,
    total: 600,
    cached: 100,
    pipelines: 0,
    pipelinesTotal: 0,
  });
});

test("reports at most ten times a second", () => {
  let now = 0;
  let reports = 0;
  const meter = new ProgressMeter(
    () => {
      reports += 1;
    },
    () => now,
  );
  for (now = 0; now < 1000; now++) meter.addNetwork(1);
  expect(reports).toBe(10);
});
