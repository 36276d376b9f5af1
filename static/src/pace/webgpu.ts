/** How fast a graphics adapter gets through weights, and what a dispatch costs. */

import type { Pace } from "../engine/assessment";

const BYTES = 1 << 26; // of made-up weights: within the limits that every device has
const CHUNK = 1 << 16; // that a workgroup reads
const CHUNKS = BYTES / CHUNK;
const WINDOW_MS = 40; // of one measurement; a submit's own latency is a few per cent of it
const FEW = 32; // chunks of the first measurement
const DISPATCHES = 200;

/**
 * `fill` writes random bits. `read_codes` goes over them as the product of one token with 4-bit weights
 * does: codes become normalised numbers, eight to a word, and are multiplied with numbers that the
 * workgroup shares. `touch` does next to nothing, and has to wait for the `touch` before it.
 */
const FILL = `
@group(0) @binding(0) var<storage, read_write> data: array<vec4<u32>>;

@compute @workgroup_size(64)
fn fill(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  for (var i = 0u; i < ${CHUNK / 1024}u; i++) {
    let at = (group.x * ${CHUNK / 1024}u + i) * 64u + lane;
    var bits = vec4<u32>(0u, 1u, 2u, 3u) + at * 4u;
    bits = (bits ^ (bits >> vec4<u32>(16u))) * 0x45d9f3bu;
    data[at] = (bits ^ (bits >> vec4<u32>(16u))) * 0x45d9f3bu;
  }
}`;
const READ = `
@group(0) @binding(0) var<storage, read> data: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> found: array<f32>;
var<workgroup> x: array<vec4<f32>, 64>;

fn product(word: u32, i: u32) -> f32 {
  let low = unpack4x8unorm(word & 0x0f0f0f0fu);
  let high = unpack4x8unorm((word >> 4u) & 0x0f0f0f0fu);
  return dot(low, x[i & 63u]) + dot(high, x[(i + 1u) & 63u]);
}

@compute @workgroup_size(64)
fn read_codes(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  x[lane] = vec4<f32>(f32(lane));
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < ${CHUNK / 1024}u; i++) {
    let words = data[(group.x * ${CHUNK / 1024}u + i) * 64u + lane];
    let at = i * 8u;
    sum += product(words.x, at) + product(words.y, at + 2u);
    sum += product(words.z, at + 4u) + product(words.w, at + 6u);
  }
  found[group.x * 64u + lane] = sum;
}

@compute @workgroup_size(64)
fn touch(@builtin(local_invocation_index) lane: u32) { found[lane] += 1.0; }`;

type Kernel = "fill" | "read_codes" | "touch";

/** Within about `ms`; throws what WebGPU throws. */
export async function measureWebGpu(adapter: GPUAdapter, ms: number): Promise<Pace> {
  const device = await adapter.requestDevice({ label: "webkiln pace" });
  try {
    return await measure(await Kernels.open(device), performance.now() + ms);
  } finally {
    device.destroy();
  }
}

async function measure(kernels: Kernels, end: number): Promise<Pace> {
  await kernels.run("fill", FEW, 1); // pipelines are made when they are first used
  await kernels.run("read_codes", FEW, 1);
  const perDispatch = await dispatchSeconds(kernels);
  let [chunks, repeats, most] = [FEW, 1, 0];
  let filled = FEW;
  do {
    if (chunks > filled) {
      await kernels.run("fill", chunks, 1);
      filled = chunks;
    }
    const taken = await kernels.run("read_codes", chunks, repeats);
    const rate = (chunks * repeats * CHUNK * 1000) / taken;
    // What is over too soon tells of latency; the last attempt counts for lack of a better one.
    if (taken > WINDOW_MS / 2 || performance.now() > end) most = Math.max(most, rate);
    const wanted = chunks * repeats * Math.min(8, Math.max(0.25, WINDOW_MS / taken));
    chunks = Math.max(FEW, Math.min(CHUNKS, Math.round(wanted)));
    repeats = Math.max(1, Math.round(wanted / chunks));
  } while (performance.now() < end);
  return { bytesPerSecond: most, secondsPerDispatch: perDispatch };
}

/** The difference that more dispatches make, without what any submit costs. */
async function dispatchSeconds(kernels: Kernels): Promise<number> {
  await kernels.run("touch", 1, 1);
  const few = await kernels.run("touch", 1, DISPATCHES / 10);
  const many = await kernels.run("touch", 1, DISPATCHES);
  return Math.max(0, many - few) / 1000 / (DISPATCHES * 0.9);
}

class Kernels {
  private lost = "";

  private constructor(
    private readonly device: GPUDevice,
    private readonly made: Record<Kernel, [GPUComputePipeline, GPUBindGroup]>,
  ) {
    void device.lost.then(({ message }) => {
      this.lost = message || "no reason given";
    });
  }

  /** Throws where the device has no room, or refuses a kernel. */
  static async open(device: GPUDevice): Promise<Kernels> {
    device.pushErrorScope("out-of-memory");
    device.pushErrorScope("validation");
    const made = make(device);
    const [invalid, full] = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
    const error = invalid ?? full;
    if (error) throw new Error(error.message);
    return new Kernels(device, made);
  }

  /** Milliseconds that so many dispatches of so many workgroups take. */
  async run(kernel: Kernel, workgroups: number, dispatches: number): Promise<number> {
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    const [pipeline, group] = this.made[kernel];
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let count = 0; count < dispatches; count++) pass.dispatchWorkgroups(workgroups);
    pass.end();
    const start = performance.now();
    this.device.queue.submit([encoder.finish()]);
    await this.device.queue.onSubmittedWorkDone();
    if (this.lost !== "") throw new Error(`the graphics device was lost: ${this.lost}`);
    return performance.now() - start;
  }
}

function make(device: GPUDevice): Record<Kernel, [GPUComputePipeline, GPUBindGroup]> {
  const buffer = (size: number) => device.createBuffer({ size, usage: GPUBufferUsage.STORAGE });
  const data = { binding: 0, resource: { buffer: buffer(BYTES) } };
  const found = { binding: 1, resource: { buffer: buffer(CHUNKS * 64 * 4) } };
  const kernel = (
    code: string,
    entryPoint: Kernel,
    entries: GPUBindGroupEntry[],
  ): [GPUComputePipeline, GPUBindGroup] => {
    const compute = { module: device.createShaderModule({ code }), entryPoint };
    const pipeline = device.createComputePipeline({ layout: "auto", compute });
    const layout = pipeline.getBindGroupLayout(0);
    return [pipeline, device.createBindGroup({ layout, entries })];
  };
  return {
    fill: kernel(FILL, "fill", [data]),
    read_codes: kernel(READ, "read_codes", [data, found]),
    touch: kernel(READ, "touch", [found]),
  };
}
