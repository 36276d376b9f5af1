/** A plan's memory and the threads that compute in it. Everything here is synchronous but `open`. */

import { formatBytes } from "../engine/errors";
import type { Plan } from "../plan";
import { noMemory, refusedModule } from "./wasm-errors";
import { type Crew, Helpers } from "./wasm-helpers";
import { layoutMemory, type MemoryLayout, neededPages, PAGE, placeProbe } from "./wasm-layout";
import { checkSteps } from "./wasm-program";
import { ThreadSync } from "./wasm-sync";
import { KernelThread, type ThreadStart } from "./wasm-thread";
import { bufferBytes } from "./webgpu-device";
import { element } from "./webgpu-steps";

const REHEARSAL_MS = 60; // for each function
const HOST_STATE: ReadonlySet<string> = new Set(["control", "tokens", "sampling"]);

export interface MachineOptions {
  code: Uint8Array<ArrayBuffer>;
  plan: Plan;
  context: number;
  threads: number;
  /** Whether the module imports a shared memory. */
  shared: boolean;
  /** Who starts the other threads. */
  crew: Crew;
}

export class WasmMachine {
  private constructor(
    private readonly plan: Plan,
    private readonly context: number,
    private readonly memory: WebAssembly.Memory,
    private readonly layout: MemoryLayout,
    private readonly thread: KernelThread,
    private readonly helpers: Helpers,
  ) {}

  static async open({
    code,
    plan,
    context,
    threads,
    shared,
    crew,
  }: MachineOptions): Promise<WasmMachine> {
    checkSteps(plan, context);
    const pages = neededPages(plan, context, threads);
    const layout = layoutMemory(plan, context, threads);
    const module = await WebAssembly.compile(code).catch((error) => {
      throw refusedModule(error);
    });
    const memory = createMemory(pages, shared);
    const sync = threads > 1 ? ThreadSync.create(mostBindings(plan)).buffer : null;
    const start = (thread: number): ThreadStart => ({ module, memory, plan, layout, thread, sync });
    const first = await KernelThread.open(start(0));
    const others = Array.from({ length: threads - 1 }, (_, index) => start(index + 1));
    const helpers = await Helpers.start(others, crew);
    const machine = new WasmMachine(plan, context, memory, layout, first, helpers);
    try {
      if (threads > 1) machine.rehearse();
      return machine;
    } catch (error) {
      machine.dispose();
      throw error;
    }
  }

  get threads(): number {
    return this.layout.threads.length;
  }

  /** How many parts a run of a function can be split into. */
  stages(fn: number): number {
    return this.thread.stages(fn);
  }

  /** Runs stages `first` .. `end` - 1 on all threads. Throws `kernel-fault`. */
  run(fn: number, first: number, end: number): void {
    const command = { kind: "run", fn, first, end } as const;
    this.thread.sync?.send(command);
    this.thread.perform(command);
  }

  /** The memory of one of the plan's buffers. */
  bytes(buffer: number): Uint8Array {
    const size = bufferBytes(element(this.plan.buffers, buffer), this.context);
    return new Uint8Array(this.memory.buffer, element(this.layout.buffers, buffer), size);
  }

  /** See Backend. The memory of the plan's buffers serves for it, and is zeros again afterwards. */
  probe(
    kernel: number,
    items: number,
    contents: readonly Uint32Array[],
    output: number,
  ): Uint32Array<ArrayBuffer> {
    const { buffer } = this.memory;
    const sizes = contents.map((content) => content.byteLength);
    const pointers = placeProbe(sizes, this.layout.begin, buffer.byteLength);
    const views = contents.map(
      (content, index) => new Uint32Array(buffer, element(pointers, index), content.length),
    );
    contents.forEach((content, index) => {
      element(views, index).set(content);
    });
    const command = { kind: "probe", kernel, items, pointers } as const;
    this.thread.sync?.send(command);
    this.thread.perform(command);
    const result = new Uint32Array(element(views, output));
    for (const view of views) view.fill(0);
    return result;
  }

  /**
   * Has the kernels compiled well before several threads run them. V8 starts with quick, slow code
   * and makes it fast once a function has run for a while, but where two threads reach that point
   * at once it sometimes never does: one page in six then read prompts five times slower, for good.
   *
   * With all memory zeros, nothing but what the host writes before each use becomes anything else.
   */
  private rehearse(): void {
    const { functions, buffers } = this.plan;
    for (const fn of Object.keys(functions).keys()) this.thread.rehearse(fn, REHEARSAL_MS);
    for (const [index, { name }] of buffers.entries()) {
      if (HOST_STATE.has(name)) this.bytes(index).fill(0);
    }
  }

  dispose(): void {
    this.helpers.end();
  }
}

function createMemory(pages: number, shared: boolean): WebAssembly.Memory {
  try {
    // It never grows: views stay valid, and nothing more than what is needed is set aside.
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
  } catch (error) {
    throw noMemory(formatBytes(pages * PAGE), error);
  }
}

function mostBindings(plan: Plan): number {
  return Math.max(0, ...plan.kernels.map((kernel) => kernel.access.length));
}
