import { describe, expect, test, vi } from "vitest";
import { kernelFault } from "../../../../static/src/backends/wasm-errors";
import { Breather, JobQueue, Pace } from "../../../../static/src/backends/wasm-queue";

describe("jobs", () => {
  test("run one after the other, even those that take breaks", async () => {
    const queue = new JobQueue();
    const log: string[] = [];
    const first = queue.add(async () => {
      log.push("first begins");
      await new Promise((resolve) => setTimeout(resolve, 5));
      log.push("first ends");
      return 1;
    });
    queue.add(() => log.push("second"));
    expect(await first).toBe(1);
    expect(await queue.add(() => log.join(", "))).toBe("first begins, first ends, second");
  });

  test("a failure is typed and fails what comes after, which is not run", async () => {
    const queue = new JobQueue();
    const fault = kernelFault("the kernel k failed");
    // Nobody looks at this one; vitest fails on unhandled rejections.
    queue.add(() => {
      throw fault;
    });
    let ran = false;
    const later = queue.add(() => {
      ran = true;
    });
    await expect(later).rejects.toBe(fault);
    await expect(queue.add(() => 1)).rejects.toBe(fault);
    expect(ran).toBe(false);
  });

  test("what is thrown untyped becomes typed", async () => {
    const queue = new JobQueue();
    const failed = queue.add(() => {
      throw new TypeError("odd");
    });
    await expect(failed).rejects.toMatchObject({ code: "internal", message: "TypeError: odd" });
  });
});

test("a break is taken when the last one is long ago", async () => {
  const breather = new Breather();
  const breathe = vi.spyOn(breather, "breathe");
  await breather.pause();
  expect(breathe).not.toHaveBeenCalled();
  await new Promise((resolve) => setTimeout(resolve, 30));
  await breather.pause();
  await breather.pause();
  expect(breathe).toHaveBeenCalledOnce();
  breather.close();
});

test("the end of a breather ends the break under way", async () => {
  const breather = new Breather();
  const rest = breather.breathe();
  breather.close();
  await rest;
});

describe("pace", () => {
  test("settles at what 10 ms hold", () => {
    const pace = new Pace();
    for (let slice = 0; slice < 10; slice++) pace.took(pace.stages, pace.stages * 0.5);
    expect(pace.stages).toBe(20);
  });

  test("grows step by step and never to nothing", () => {
    const pace = new Pace();
    const first = pace.stages;
    pace.took(first, 0);
    expect(pace.stages).toBe(4 * first);
    pace.took(pace.stages, 1e6);
    expect(pace.stages).toBe(1);
  });

  test("the short rest of a function does not count, unless it was long", () => {
    const pace = new Pace();
    const before = pace.stages;
    pace.took(1, 9);
    expect(pace.stages).toBe(before);
    pace.took(1, 100);
    expect(pace.stages).toBe(1);
  });
});
