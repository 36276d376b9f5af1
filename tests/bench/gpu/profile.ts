/**
 * Milliseconds per kernel, from timestamps.
 *
 * A timestamp can be taken where a pass begins or ends, so each dispatch gets a pass of its own.
 * That is slower than the one pass of a real step, and a run apart from those that measure speed.
 */

import {
  bufferBytes,
  neededLimits,
  WatchedDevice,
} from "../../../static/src/backends/webgpu-device";
import { createPipelines } from "../../../static/src/backends/webgpu-pipelines";
import { readBuffer } from "../../../static/src/backends/webgpu-readback";
import {
  createDispatches,
  type Dispatch,
  element,
  encode,
} from "../../../static/src/backends/webgpu-steps";
import { GREEDY } from "../../../static/src/engine/requests";
import { controlState, prefillState, samplingState } from "../../../static/src/engine/state";
import type { Plan } from "../../../static/src/plan";
import type { Program } from "./bundle";
import { spread } from "./spread";
import { stepTraffic } from "./traffic";
import { fillWeights } from "./weights";

const TIMESTAMPS = "timestamp-query";

export interface ProfileRequest {
  function: string;
  position: number;
}

export interface KernelTime {
  kernel: string;
  count: number;
  ms: number;
  /** Of all kernels' time. */
  share: number;
  /** Weights, keys and values read per second. */
  bytes_per_s: number;
}

export interface Profile extends ProfileRequest {
  ms: number;
  kernels: KernelTime[];
}

/** Profiles of functions at positions; null where the adapter has no timestamps. */
export async function measureProfiles(
  adapter: GPUAdapter,
  program: Program,
  context: number,
  requests: readonly ProfileRequest[],
  rounds: number,
): Promise<Profile[] | null> {
  if (!adapter.features.has(TIMESTAMPS)) return null;
  const { variant, plan } = program;
  const features = [...variant.requires.features, TIMESTAMPS];
  const limits = neededLimits(variant.requires, plan, context);
  const device = await WatchedDevice.open(adapter, features, limits);
  try {
    const bench = await Bench.open(device, program, context);
    const profiles: Profile[] = [];
    for (const request of requests) profiles.push(await bench.profile(request, rounds));
    return profiles;
  } finally {
    device.destroy();
  }
}

class Bench {
  private constructor(
    private readonly device: WatchedDevice,
    private readonly program: Program,
    private readonly buffers: Map<string, GPUBuffer>,
    private readonly functions: Map<string, Dispatch[]>,
  ) {}

  static async open(device: WatchedDevice, program: Program, context: number): Promise<Bench> {
    const { manifest, plan, kernels } = program;
    const { queue } = device.gpu;
    const made = await device.scoped("the buffers", () => createBuffers(device.gpu, plan, context));
    const buffers = new Map(plan.buffers.map(({ name }, index) => [name, element(made, index)]));
    await fillWeights(plan, manifest.tensors, {
      write: (name, offset, data) => queue.writeBuffer(named(buffers, name), offset, data),
      settle: () => queue.onSubmittedWorkDone(),
    });
    queue.writeBuffer(named(buffers, "control"), 0, controlState(0, context, GREEDY, []));
    queue.writeBuffer(named(buffers, "sampling"), 0, samplingState(GREEDY));
    const pipelines = await createPipelines(device, plan.kernels, kernels, () => {});
    const functions = await createDispatches(device, plan, made, pipelines);
    return new Bench(device, program, buffers, functions);
  }

  async profile(request: ProfileRequest, rounds: number): Promise<Profile> {
    const dispatches = this.functions.get(request.function);
    if (dispatches === undefined) throw new Error(`the plan has no function ${request.function}`);
    await this.time(request, dispatches); // first uses cost more
    const times: Float64Array[] = [];
    for (let round = 0; round < rounds; round++) times.push(await this.time(request, dispatches));
    const medians = dispatches.map(
      (_, index) => spread(times.map((found) => found[index] ?? 0)).median,
    );
    return summarise(this.program, request, medians);
  }

  /** Milliseconds of each dispatch, run once in order. */
  private async time(request: ProfileRequest, dispatches: Dispatch[]): Promise<Float64Array> {
    const { gpu } = this.device;
    const rows = this.program.plan.functions[request.function]?.rows ?? 1;
    const control = named(this.buffers, "control");
    gpu.queue.writeBuffer(control, ...prefillState(request.position, rows));
    const querySet = gpu.createQuerySet({ type: "timestamp", count: 2 * dispatches.length });
    const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
    const resolved = gpu.createBuffer({ size: 16 * dispatches.length, usage });
    const encoder = gpu.createCommandEncoder();
    for (const [index, dispatch] of dispatches.entries()) {
      const [begin, end] = [2 * index, 2 * index + 1];
      const timestampWrites = {
        querySet,
        beginningOfPassWriteIndex: begin,
        endOfPassWriteIndex: end,
      };
      const pass = encoder.beginComputePass({ timestampWrites });
      encode(pass, [dispatch], rows);
      pass.end();
    }
    encoder.resolveQuerySet(querySet, 0, querySet.count, resolved, 0);
    gpu.queue.submit([encoder.finish()]);
    const stamps = new BigUint64Array(await readBuffer(gpu, resolved));
    this.device.check();
    querySet.destroy();
    resolved.destroy();
    return Float64Array.from(dispatches, (_, index) => milliseconds(stamps, index));
  }
}

/** Nanoseconds may run backwards between passes on some devices: then 0. */
function milliseconds(stamps: BigUint64Array, index: number): number {
  const [begin, end] = [stamps[2 * index] ?? 0n, stamps[2 * index + 1] ?? 0n];
  return end > begin ? Number(end - begin) / 1e6 : 0;
}

/** Times of a function's steps, in their order, by kernel; the slowest first. */
export function summarise(
  { plan, manifest }: Pick<Program, "plan" | "manifest">,
  request: ProfileRequest,
  times: readonly number[],
): Profile {
  const fn = plan.functions[request.function];
  const total = times.reduce((sum, time) => sum + time, 0);
  const found = new Map<string, { count: number; ms: number; bytes: number }>();
  for (const [index, step] of (fn?.steps ?? []).entries()) {
    const name = element(plan.kernels, step.kernel).name;
    const entry = found.get(name) ?? { count: 0, ms: 0, bytes: 0 };
    const read = stepTraffic(plan, manifest.tensors, step, request.position, fn?.rows ?? 1);
    entry.count += 1;
    entry.ms += times[index] ?? 0;
    entry.bytes += read.weights + read.cache;
    found.set(name, entry);
  }
  const kernels = [...found].map(([kernel, { count, ms, bytes }]) => ({
    kernel,
    count,
    ms,
    share: total > 0 ? ms / total : 0,
    bytes_per_s: ms > 0 ? (bytes / ms) * 1000 : 0,
  }));
  return { ...request, ms: total, kernels: kernels.sort((a, b) => b.ms - a.ms) };
}

function createBuffers(gpu: GPUDevice, plan: Plan, context: number): GPUBuffer[] {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  return plan.buffers.map((buffer) =>
    gpu.createBuffer({ label: buffer.name, size: bufferBytes(buffer, context), usage }),
  );
}

function named(buffers: Map<string, GPUBuffer>, name: string): GPUBuffer {
  const buffer = buffers.get(name);
  if (buffer === undefined) throw new Error(`the plan has no buffer ${name}`);
  return buffer;
}
