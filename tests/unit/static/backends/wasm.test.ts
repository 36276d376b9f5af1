import { describe, expect, test, vi } from "vitest";
import { WasmBackend } from "../../../../static/src/backends/wasm";
import type { Crew } from "../../../../static/src/backends/wasm-helpers";
import { layoutMemory } from "../../../../static/src/backends/wasm-layout";
import { Breather } from "../../../../static/src/backends/wasm-queue";
import { type HelperReply, KernelThread } from "../../../../static/src/backends/wasm-thread";
import { Control, type Plan, type Step } from "../../../../static/src/plan";
import { plan } from "../bundle";
import { assemble, KERNELS } from "./assemble";

const CONTEXT = 16;
const TOKENS = 2; // index of the buffer

/** A step on the first word of `tokens`. */
function step(kernel: keyof typeof KERNELS, items = 1): Step {
  const index = Object.keys(KERNELS).indexOf(kernel);
  const bindings = [{ buffer: TOKENS, offset: 0, bytes: 4 }];
  return { kernel: index, grid: [items, 1, 1], bindings, layer: null, rows_axis: null };
}

/** Its `decode` has all of `tokens` as an output. */
function planOf(decode: Step[], prefill: Step[] = []): Plan {
  const made = plan();
  made.kernels = Object.keys(KERNELS).map((name) => ({
    name: `kernel ${name}`,
    entry: name,
    offset: 0,
    bytes: 10,
    workgroup: [1, 1, 1],
    workgroup_bytes: 0,
    access: ["read_write"],
  }));
  made.functions = {
    decode: { rows: 1, outputs: { all: TOKENS }, steps: decode },
    prefill_4: { rows: 4, outputs: {}, steps: prefill },
  };
  return made;
}

/** The write into `control` that leaves tokens as a step's sampling would. */
function taken(...ids: number[]): [number, Int32Array<ArrayBuffer>] {
  return [Control.TAKEN * 4, Int32Array.of(ids.length, ...ids)];
}

const NOBODY: Crew = {
  hire: () => {
    throw new Error("one thread needs no help");
  },
};

/** Helpers that say they are ready, and never do anything. */
const IDLE: Crew = {
  hire: (_, port) => {
    port.postMessage({ error: null } satisfies HelperReply);
    return { failed: new Promise(() => {}), dismiss: () => {} };
  },
};

function open(made: Plan, code = assemble()): Promise<WasmBackend> {
  return WasmBackend.open(code, made, CONTEXT, 1, [], NOBODY);
}

describe("computing", () => {
  test("writes, runs and steps take effect in the order they were asked for", async () => {
    const backend = await open(planOf([step("double")], [step("add", 5), step("double")]));
    expect(backend.prefill).toEqual({ name: "prefill_4", rows: 4 });
    backend.write("tokens", 0, Int32Array.of(1));
    backend.run("prefill_4"); // (1 + 5) * 2
    backend.write("control", ...taken(70));
    const id = backend.step("decode");
    backend.write("control", ...taken(71, 72));
    const again = backend.step("decode");
    expect(await Promise.all([id, again])).toEqual([[70], [71, 72]]);
    const words = new Int32Array((await backend.read("decode", "all")).buffer);
    expect(words.length).toBe(CONTEXT + 1);
    expect([...words.subarray(0, 2)]).toEqual([48, 0]);
  });

  test("a write's data may be used again at once", async () => {
    const backend = await open(planOf([]));
    const [offset, data] = taken(5);
    backend.write("control", offset, data);
    data[1] = 6;
    expect(await backend.step("decode")).toEqual([5]);
  });

  test("a long function runs in slices, with chances for breaks between them", async () => {
    const backend = await open(planOf([], Array<Step>(2000).fill(step("add", 2))));
    const pause = vi.spyOn(Breather.prototype, "pause");
    backend.run("prefill_4");
    await backend.idle();
    expect(pause.mock.calls.length).toBeGreaterThan(2);
    pause.mockRestore();
    const words = new Int32Array((await backend.read("decode", "all")).buffer);
    expect(words[0]).toBe(4000);
  });

  test("weights go to their buffer and not beyond", async () => {
    const made = planOf([]);
    made.functions.decode = { rows: 1, outputs: { w: 0 }, steps: [] };
    const backend = await open(made);
    backend.writeWeight("w", 36, Uint8Array.of(0, 0, 128, 63));
    const words = await backend.read("decode", "w");
    expect([...words]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    expect(() => backend.writeWeight("w", 38, Uint8Array.of(1, 2, 3, 4))).toThrow(RangeError);
  });

  test("a probe runs a kernel on memory that is zeros again afterwards", async () => {
    const backend = await open(planOf([]));
    const content = Uint32Array.of(30, 7);
    expect([...(await backend.probe(0, [12, 1, 1], [content], 0))]).toEqual([42, 7]);
    const all = await backend.read("decode", "all");
    expect(all.every((value) => value === 0)).toBe(true);
    const large = new Uint32Array(40 * 2 ** 20);
    await expect(backend.probe(0, [1, 1, 1], [large], 0)).rejects.toMatchObject({
      code: "bad-bundle",
    });
  });

  test("every kernel is reported as prepared", async () => {
    let kernels = 0;
    await (await open(planOf([]))).prepare(() => {
      kernels += 1;
    });
    expect(kernels).toBe(4);
  });
});

describe("rehearsing", () => {
  const code = assemble({ shared: true });

  test("several threads find the kernels tried out, and memory as if they had not been", async () => {
    const runs = vi.spyOn(KernelThread.prototype, "rehearse");
    const made = planOf([step("add", 5)], [step("add", 2)]);
    const backend = await WasmBackend.open(code, made, CONTEXT, 2, ["threads"], IDLE);
    expect(runs.mock.calls.map(([fn]) => fn)).toEqual([0, 1]);
    runs.mockRestore();
    const all = await backend.read("decode", "all");
    expect(all.every((word) => word === 0)).toBe(true);
    backend.dispose();
  });

  test("a thread alone has no need of it", async () => {
    const runs = vi.spyOn(KernelThread.prototype, "rehearse");
    await open(planOf([step("add", 5)]));
    expect(runs).not.toHaveBeenCalled();
    runs.mockRestore();
  });

  test("a kernel that faults is known before anything is fetched", async () => {
    const made = planOf([step("trap")]);
    await expect(WasmBackend.open(code, made, CONTEXT, 2, ["threads"], IDLE)).rejects.toMatchObject(
      { code: "kernel-fault" },
    );
  });

  test("it ends in time", async () => {
    const module = await WebAssembly.compile(assemble());
    const memory = new WebAssembly.Memory({ initial: 64 });
    const made = planOf([step("add", 5), step("add", 5)]);
    const layout = layoutMemory(made, CONTEXT, 1);
    const thread = await KernelThread.open({
      module,
      memory,
      plan: made,
      layout,
      thread: 0,
      sync: null,
    });
    const word = new Int32Array(memory.buffer, layout.buffers[TOKENS], 1);
    thread.rehearse(0, -1);
    expect(word[0]).toBe(0);
    thread.rehearse(0, 1000);
    expect(word[0]).toBe(10);
  });
});

describe("faults", () => {
  test.each([
    ["trap", "the kernel kernel trap failed: RuntimeError: unreachable"],
    ["refuse", "the kernel kernel refuse failed: it returned 3"],
  ] as const)("%s: everything from there on fails with its name", async (kernel, message) => {
    const backend = await open(planOf([], [step("add"), step(kernel)]));
    const before = backend.step("decode");
    backend.run("prefill_4");
    const fault = { code: "kernel-fault", message };
    await expect(backend.idle()).rejects.toMatchObject(fault);
    await expect(backend.step("decode")).rejects.toMatchObject(fault);
    await expect(backend.read("decode", "all")).rejects.toMatchObject(fault);
    expect(await before).toEqual([]);
  });

  test("what a backend no longer has is not asked of it", async () => {
    const backend = await open(planOf([], Array<Step>(500).fill(step("add", 2))));
    backend.run("prefill_4");
    const idle = backend.idle();
    await Promise.resolve();
    backend.dispose();
    await expect(idle).rejects.toMatchObject({ code: "bad-request" });
    await expect(backend.step("decode")).rejects.toThrow("disposed");
  });
});

describe("bundles are refused", () => {
  async function refused(code: Uint8Array<ArrayBuffer>): Promise<unknown> {
    return open(planOf([]), code).catch((error: unknown) => error);
  }

  test("without the exports that every thread needs", async () => {
    const fault = { code: "bad-bundle", message: expect.stringContaining("__stack_pointer") };
    expect(await refused(assemble({ stackPointer: false }))).toMatchObject(fault);
    fault.message = expect.stringContaining("set_workspace");
    expect(await refused(assemble({ setWorkspace: false }))).toMatchObject(fault);
  });

  test("without a kernel, or with one that takes other arguments", async () => {
    const { double: _, ...rest } = KERNELS;
    expect(await refused(assemble({ kernels: rest }))).toMatchObject({
      code: "bad-bundle",
      message: expect.stringContaining("kernel double"),
    });
    const made = planOf([]);
    made.kernels[0]?.access.push("read");
    await expect(open(made)).rejects.toThrow("the kernel kernel add takes 3 arguments, not 4");
  });

  test("that are no WebAssembly", async () => {
    expect(await refused(Uint8Array.of(1, 2, 3))).toMatchObject({
      code: "internal",
      message: expect.stringContaining("CompileError"),
    });
  });
});
