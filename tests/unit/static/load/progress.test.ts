import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Progress } from "../../../../static/src/engine/api";
import { ProgressMeter } from "../../../../static/src/load/progress";

test("the rate counts the network alone, over the last seconds", () => {
  let now = 0;
  const reports: Progress[] = [];
  const meter = new ProgressMeter(
    (progress) => reports.push(progress),
    () => now,
  );
  meter.restart(10_000, 4_000, 0);
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
  meter.restart(1000, 0, 0);
  meter.setPipelineTotal(5);
  meter.addPipeline();
  meter.addNetwork(700);
  meter.restart(600, 300, 100);
  meter.setPhase("download");
  expect(reports.at(-1)).toEqual({
    phase: "download",
    loaded: 100,
    total: 600,
    cached: 100,
    kept: 300,
    pipelines: 0,
    pipelinesTotal: 0,
  });
});

describe("at a standstill", () => {
  const reports: Progress[] = [];
  const meter = () => new ProgressMeter((progress) => reports.push(progress));
  beforeEach(() => {
    vi.useFakeTimers();
    reports.length = 0;
  });
  afterEach(() => vi.useRealTimers());

  test("what came just before is told, too", () => {
    const stopped = meter();
    stopped.restart(1000, 0, 0);
    stopped.setPhase("download");
    stopped.addNetwork(300);
    stopped.addNetwork(400);
    vi.advanceTimersByTime(5000);
    expect(reports.map(({ loaded }) => loaded)).toEqual([0, 700]);
    stopped.addNetwork(300);
    stopped.addNetwork(0);
    stopped.setPhase("ready");
    vi.advanceTimersByTime(5000);
    expect(reports.at(-1)?.phase).toBe("ready"); // and nothing comes after it
  });

  test("no rate is promised any longer", () => {
    const stopped = meter();
    stopped.restart(1000, 0, 0);
    stopped.setPhase("download");
    const done = stopped.transfer();
    vi.advanceTimersByTime(200);
    stopped.addNetwork(700);
    expect(reports.at(-1)?.secondsLeft).toBeGreaterThan(0);
    vi.advanceTimersByTime(6000);
    expect(reports.at(-1)).toMatchObject({ loaded: 700, total: 1000 });
    expect(reports.at(-1)).not.toHaveProperty("rate");
    done();
    vi.advanceTimersByTime(2000);
    const last = reports.length;
    vi.advanceTimersByTime(9000);
    expect(reports).toHaveLength(last);
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

describe("what is waited for", () => {
  function watched() {
    const reports: Progress[] = [];
    return {
      reports,
      meter: new ProgressMeter(
        (progress) => reports.push(progress),
        () => 0,
      ),
    };
  }

  test("is told while nothing arrives, the most urgent first", () => {
    const { reports, meter } = watched();
    const waiting = () => {
      meter.setPhase("download");
      return reports.at(-1)?.waiting;
    };
    expect(waiting()).toBeUndefined();
    const tab = meter.wait("tab");
    expect(waiting()).toBe("tab");
    const paused = meter.wait("paused");
    expect(waiting()).toBe("paused");
    const transferred = meter.transfer();
    expect(waiting()).toBeUndefined();
    transferred();
    paused();
    paused();
    expect(waiting()).toBe("tab");
    tab();
    expect(waiting()).toBeUndefined();
  });

  test("is told at once", () => {
    const { reports, meter } = watched();
    meter.setPhase("download");
    meter.wait("offline");
    expect(reports.at(-1)?.waiting).toBe("offline");
  });
});
