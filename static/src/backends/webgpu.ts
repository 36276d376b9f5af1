import { formatBytes } from "../engine/errors";
import type { Bytes } from "../load/files";
import { CONTROL_SLOTS, Control, type Plan, type Variant } from "../plan";
import {
  type Backend,
  type Chunk,
  prefillOf,
  type StateData,
  takenTokens,
  textsOf,
  verifyOf,
} from "./backend";
import { bufferBytes, checkSizes, neededLimits, WatchedDevice } from "./webgpu-device";
import { createPipelines } from "./webgpu-pipelines";
import { probeKernel } from "./webgpu-probe";
import { ReadbackRing, readBuffer } from "./webgpu-readback";
import { createDispatches, type Dispatch, element, encode } from "./webgpu-steps";

const MAX_DEPTH = 16;
const TAKEN_BYTES = (CONTROL_SLOTS - Control.TAKEN) * 4;

/** Runs a plan on WebGPU: a run is one command buffer with one compute pass. */
export class WebGpuBackend implements Backend {
  readonly maxDepth = MAX_DEPTH;
  readonly prefill: Chunk | null;
  readonly recurrent: boolean;
  readonly verify: Chunk | null;
  readonly texts: readonly Chunk[];
  private functions = new Map<string, Dispatch[]>();
  private readonly byName = new Map<string, GPUBuffer>();
  private readonly ring: ReadbackRing;

  private constructor(
    private readonly device: WatchedDevice,
    private readonly plan: Plan,
    private readonly kernelText: Uint8Array,
    readonly context: number,
    private readonly buffers: GPUBuffer[],
  ) {
    this.ring = new ReadbackRing(device.gpu, MAX_DEPTH, TAKEN_BYTES);
    plan.buffers.forEach((buffer, index) => {
      this.byName.set(buffer.name, element(buffers, index));
    });
    this.prefill = prefillOf(plan);
    this.recurrent = plan.recurrent;
    this.verify = verifyOf(plan);
    this.texts = textsOf(plan);
  }

  /** Opens the device and allocates every buffer; weights and kernels come afterwards. */
  static async open(
    adapter: GPUAdapter,
    variant: Variant,
    plan: Plan,
    kernelText: Uint8Array,
    context: number,
  ): Promise<WebGpuBackend> {
    checkSizes(adapter, plan, context);
    const limits = neededLimits(variant.requires, plan, context);
    const device = await WatchedDevice.open(adapter, variant.requires.features, limits);
    try {
      const buffers = await createBuffers(device, plan, context);
      return new WebGpuBackend(device, plan, kernelText, context, buffers);
    } catch (error) {
      device.destroy();
      throw error;
    }
  }

  async probe(
    kernel: number,
    grid: readonly number[],
    contents: readonly Uint32Array<ArrayBuffer>[],
    output: number,
  ): Promise<Uint32Array<ArrayBuffer>> {
    const tested = element(this.plan.kernels, kernel);
    return this.guarded(probeKernel(this.device, tested, this.kernelText, grid, contents, output));
  }

  async prepare(onKernel: () => void): Promise<void> {
    const made = await createPipelines(this.device, this.plan.kernels, this.kernelText, onKernel);
    this.functions = await createDispatches(this.device, this.plan, this.buffers, made);
  }

  writeWeight(tensor: string, offset: number, data: Bytes): void {
    // A write takes whole words; the buffer has room for the padding.
    const words = data.length % 4 === 0 ? data : padded(data);
    this.device.gpu.queue.writeBuffer(this.buffer(tensor), offset, words);
  }

  async settle(): Promise<void> {
    await this.idle();
  }

  write(state: string, byteOffset: number, data: StateData): void {
    this.device.gpu.queue.writeBuffer(this.buffer(state), byteOffset, data);
  }

  run(name: string, rows: number): void {
    this.device.check();
    this.device.gpu.queue.submit([this.encodeRun(name, rows).finish()]);
  }

  async step(name: string): Promise<number[]> {
    this.device.check();
    const slot = this.ring.take();
    const rows = name === this.verify?.name ? this.verify.rows : 1;
    const encoder = this.encodeRun(name, rows);
    const control = this.buffer("control");
    encoder.copyBufferToBuffer(control, Control.TAKEN * 4, slot, 0, TAKEN_BYTES);
    this.device.gpu.queue.submit([encoder.finish()]);
    return this.guarded(this.ring.read(slot, takenTokens));
  }

  async read(name: string, output: string): Promise<Float32Array<ArrayBuffer>> {
    const index = this.plan.functions[name]?.outputs[output];
    if (index === undefined) throw new Error(`${name} has no output ${output}`);
    const buffer = element(this.buffers, index);
    return new Float32Array(await this.guarded(readBuffer(this.device.gpu, buffer)));
  }

  async idle(): Promise<void> {
    await this.guarded(this.device.gpu.queue.onSubmittedWorkDone());
  }

  dispose(): void {
    this.device.destroy();
  }

  private encodeRun(name: string, rows: number): GPUCommandEncoder {
    const dispatches = this.functions.get(name);
    if (dispatches === undefined) throw new Error(`the plan has no function ${name}`);
    const encoder = this.device.gpu.createCommandEncoder({ label: name });
    const pass = encoder.beginComputePass({ label: name });
    encode(pass, dispatches, rows);
    pass.end();
    return encoder;
  }

  private buffer(name: string): GPUBuffer {
    const buffer = this.byName.get(name);
    if (buffer === undefined) throw new Error(`the plan has no buffer ${name}`);
    return buffer;
  }

  /** The result of a GPU promise; a lost device or a validation error becomes a typed error. */
  private async guarded<T>(promise: Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await promise;
    } catch (error) {
      throw await this.device.explain(error);
    }
    this.device.check();
    return result;
  }
}

function padded(data: Bytes): Bytes {
  const words = new Uint8Array(Math.ceil(data.length / 4) * 4);
  words.set(data);
  return words;
}

async function createBuffers(
  device: WatchedDevice,
  plan: Plan,
  context: number,
): Promise<GPUBuffer[]> {
  const sizes = plan.buffers.map((buffer) => bufferBytes(buffer, context));
  const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
  return device.scoped(`${formatBytes(total)} of buffers at a context of ${context}`, () =>
    plan.buffers.map((buffer, index) => {
      const readable = buffer.kind === "state" || buffer.kind === "output";
      return device.gpu.createBuffer({
        label: buffer.name,
        size: element(sizes, index),
        usage:
          GPUBufferUsage.STORAGE |
          GPUBufferUsage.COPY_DST |
          (readable ? GPUBufferUsage.COPY_SRC : 0),
      });
    }),
  );
}
