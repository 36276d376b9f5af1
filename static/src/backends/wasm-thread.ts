/** One thread's instance of the kernels, and what it does with the plan's functions. */

import { WebkilnError } from "../engine/api";
import type { WireError } from "../engine/protocol";
import type { Plan } from "../plan";
import { badModule, kernelFault, reasonOf, refusedModule } from "./wasm-errors";
import type { MemoryLayout, ThreadArea } from "./wasm-layout";
import { type Call, callOf, chunkBounds, type Kernel, type Stage, stagesOf } from "./wasm-program";
import { type Command, ThreadSync } from "./wasm-sync";
import { element } from "./webgpu-steps";

/** Everything a thread is made from; it travels to helpers as a message. */
export interface ThreadStart {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  plan: Plan;
  layout: MemoryLayout;
  /** 0 is the engine's worker itself. */
  thread: number;
  /** Null when it is alone. */
  sync: SharedArrayBuffer | null;
}

/** What a helper says, once: it is ready, or why not. */
export interface HelperReply {
  error: WireError | null;
}

export class KernelThread {
  readonly sync: ThreadSync | null;
  private readonly threads: number;
  /** Stages of each function, in the plan's order. */
  private readonly functions: Stage[][];
  /** The kernel that runs, or ran last. */
  private current = 0;

  private constructor(
    private readonly plan: Plan,
    private readonly kernels: Kernel[],
    { layout, sync }: ThreadStart,
  ) {
    this.threads = layout.threads.length;
    this.sync = sync && new ThreadSync(sync);
    this.functions = Object.values(plan.functions).map(({ steps }) =>
      stagesOf(steps, kernels, layout.buffers, this.threads),
    );
  }

  static async open(start: ThreadStart): Promise<KernelThread> {
    const { module, memory, plan, layout, thread } = start;
    const instance = await WebAssembly.instantiate(module, { env: { memory } }).catch((error) => {
      throw refusedModule(error);
    });
    settleDown(instance.exports, element(layout.threads, thread));
    return new KernelThread(plan, kernelsOf(instance.exports, plan), start);
  }

  /** How many stages a function has. */
  stages(fn: number): number {
    return element(this.functions, fn).length;
  }

  /** Does this thread's part. Throws `kernel-fault`, whichever thread's fault it is. */
  perform(command: Command): void {
    this.watched(() => {
      if (command.kind === "run") {
        const stages = element(this.functions, command.fn);
        for (let index = command.first; index < command.end; index++) {
          this.pass(element(stages, index));
        }
      } else {
        const { kernel, items, pointers } = command;
        const calls = [callOf(this.kernels, kernel, pointers)];
        this.pass({ calls, bounds: chunkBounds(items, this.threads) });
      }
    });
  }

  /** Runs a function without the other threads, for as many stages as begin in so long. */
  rehearse(fn: number, milliseconds: number): void {
    const end = performance.now() + milliseconds;
    this.watched(() => {
      for (const { calls, bounds } of element(this.functions, fn)) {
        if (performance.now() > end) return;
        this.compute(calls, 0, element(bounds, bounds.length - 1));
      }
    });
  }

  private watched(work: () => void): void {
    try {
      work();
    } catch (error) {
      const fault = error instanceof WebkilnError ? error : this.fault(reasonOf(error));
      this.sync?.fail(fault.message);
      throw fault;
    }
  }

  private pass({ calls, bounds }: Stage): void {
    const { sync } = this;
    const chunks = bounds.length - 1;
    if (sync === null) {
      this.compute(calls, 0, element(bounds, chunks));
      return;
    }
    let done = 0;
    for (let chunk = sync.claim(chunks); chunk !== null; chunk = sync.claim(chunks)) {
      this.compute(calls, element(bounds, chunk), element(bounds, chunk + 1));
      done += 1;
    }
    sync.finish(chunks, done);
  }

  private compute(calls: readonly Call[], begin: number, end: number): void {
    for (const { kernel, run } of calls) {
      this.current = kernel;
      const result = run(begin, end);
      if (result !== 0) throw this.fault(`it returned ${result}`);
    }
  }

  private fault(problem: string): WebkilnError {
    return kernelFault(
      `the kernel ${element(this.plan.kernels, this.current).name} failed: ${problem}`,
    );
  }
}

/** Gives the instance the stack and the workspace of its thread. */
function settleDown(exports: WebAssembly.Exports, { stackTop, workspace }: ThreadArea): void {
  const { __stack_pointer: stackPointer, set_workspace: setWorkspace } = exports;
  if (!(stackPointer instanceof WebAssembly.Global)) {
    throw badModule("the module exports no global __stack_pointer");
  }
  if (typeof setWorkspace !== "function") {
    throw badModule("the module exports no function set_workspace");
  }
  stackPointer.value = stackTop;
  setWorkspace(workspace);
}

function kernelsOf(exports: WebAssembly.Exports, plan: Plan): Kernel[] {
  return plan.kernels.map(({ name, entry, access }) => {
    const kernel = exports[entry];
    if (typeof kernel !== "function") throw badModule(`it lacks ${entry}, the kernel ${name}`);
    const expected = access.length + 2;
    if (kernel.length === expected) return kernel as Kernel;
    throw badModule(`the kernel ${name} takes ${kernel.length} arguments, not ${expected}`);
  });
}
