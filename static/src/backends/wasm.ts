import type { Bytes } from "../load/files";
import { CONTROL_SLOTS, Control, type Plan } from "../plan";
import {
  type Backend,
  type Chunk,
  prefillOf,
  type StateData,
  takenTokens,
  textsOf,
} from "./backend";
import { disposed } from "./wasm-errors";
import type { Crew } from "./wasm-helpers";
import { WasmMachine } from "./wasm-machine";
import { Breather, JobQueue, Pace } from "./wasm-queue";

/**
 * Runs a plan on WebAssembly, on one thread or several. The engine's worker is the first of them:
 * it computes when a job's turn comes, and takes breaks so that messages get in.
 */
export class WasmBackend implements Backend {
  // Steps queued ahead would not be computed any sooner.
  readonly maxDepth = 1;
  readonly prefill: Chunk | null;
  readonly recurrent: boolean;
  // Rows cost a CPU nearly as much together as one by one.
  readonly verify = null;
  readonly texts: readonly Chunk[];
  readonly threads: number;
  private machine: WasmMachine | null;
  private readonly names: string[];
  private readonly paces = new Map<string, Pace>();
  private readonly queue = new JobQueue();
  private readonly breather = new Breather();

  private constructor(
    private readonly plan: Plan,
    readonly context: number,
    machine: WasmMachine,
  ) {
    this.machine = machine;
    this.threads = machine.threads;
    this.names = Object.keys(plan.functions);
    this.prefill = prefillOf(plan);
    this.recurrent = plan.recurrent;
    this.texts = textsOf(plan);
  }

  /**
   * Compiles the module, allocates its memory, all zeros, and has `crew` start `threads` - 1 helpers.
   * `features` are the variant's: with "threads" the memory is shared, even for a single thread.
   *
   * Throws `device-too-small` beyond 4 GiB, `out-of-memory`, `bad-bundle` when module and plan do
   * not fit each other, and `internal` when the module or a helper does not start.
   */
  static async open(
    code: Bytes,
    plan: Plan,
    context: number,
    threads: number,
    features: readonly string[],
    crew: Crew,
  ): Promise<WasmBackend> {
    const shared = threads > 1 || features.includes("threads");
    const machine = await WasmMachine.open({ code, plan, context, threads, shared, crew });
    return new WasmBackend(plan, context, machine);
  }

  probe(
    kernel: number,
    grid: readonly number[],
    contents: readonly Uint32Array<ArrayBuffer>[],
    output: number,
  ): Promise<Uint32Array<ArrayBuffer>> {
    const [items = 1] = grid;
    return this.queue.add(() => this.live().probe(kernel, items, contents, output));
  }

  /** Everything was compiled and tied together by `open`. */
  async prepare(onKernel: () => void): Promise<void> {
    for (const _ of this.plan.kernels) onKernel();
  }

  writeWeight(tensor: string, offset: number, data: Bytes): void {
    this.bytes(tensor).set(data, offset);
  }

  async settle(): Promise<void> {}

  write(state: string, byteOffset: number, data: StateData): void {
    const target = this.bytes(state);
    // A copy: the caller may change its own before the write's turn comes.
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
    this.queue.add(() => target.set(bytes, byteOffset));
  }

  /** Kernels know from `control` how many tokens there are. */
  run(name: string): void {
    const fn = this.index(name);
    this.queue.add(() => this.compute(name, fn));
  }

  step(name: string): Promise<number[]> {
    const fn = this.index(name);
    const ids = this.queue.add(async () => {
      await this.compute(name, fn);
      const { buffer, byteOffset } = this.bytes("control");
      return takenTokens(new Int32Array(buffer, byteOffset, CONTROL_SLOTS).subarray(Control.TAKEN));
    });
    // The ids are out before the break; what they lead to, such as another step, comes after it.
    this.queue.add(() => this.breather.breathe());
    return ids;
  }

  read(name: string, output: string): Promise<Float32Array<ArrayBuffer>> {
    return this.queue.add(() => {
      const buffer = this.plan.functions[name]?.outputs[output];
      if (buffer === undefined) throw new Error(`${name} has no output ${output}`);
      const bytes = this.live().bytes(buffer);
      return new Float32Array(bytes.slice().buffer);
    });
  }

  idle(): Promise<void> {
    return this.queue.add(() => {});
  }

  dispose(): void {
    this.queue.fail(disposed());
    this.machine?.dispose();
    this.machine = null;
    this.breather.close();
  }

  private live(): WasmMachine {
    if (this.machine === null) throw disposed();
    return this.machine;
  }

  private bytes(name: string): Uint8Array {
    const buffer = this.plan.buffers.findIndex((candidate) => candidate.name === name);
    if (buffer < 0) throw new Error(`the plan has no buffer ${name}`);
    return this.live().bytes(buffer);
  }

  private index(name: string): number {
    const fn = this.names.indexOf(name);
    if (fn < 0) throw new Error(`the plan has no function ${name}`);
    return fn;
  }

  /** One run of a function, in slices with breaks between them. */
  private async compute(name: string, fn: number): Promise<void> {
    const stages = this.live().stages(fn);
    const pace = this.paces.get(name) ?? new Pace();
    this.paces.set(name, pace);
    for (let first = 0; first < stages; ) {
      await this.breather.pause();
      const end = Math.min(stages, first + pace.stages);
      const started = performance.now();
      this.live().run(fn, first, end);
      pace.took(end - first, performance.now() - started);
      first = end;
    }
  }
}
