/** What the GPU's memory gives a kernel that only reads. */

import { WatchedDevice } from "../../../static/src/backends/webgpu-device";
import { WebkilnError } from "../../../static/src/engine/api";
import { randoms } from "./weights";

const LARGEST = 2 ** 30; // bytes: many times any cache
const EMULATED = 2 ** 26;
const CHUNK = 2 ** 24;
const GROUPS = 4096;
const WINDOW_MS = 100; // of one measurement
const ROUNDS = 5;

export interface Bandwidth {
  bytes_per_s: number;
  /** Of the buffer that was read. */
  buffer_bytes: number;
}

// Every word counts for the condition, so that no read can be left out.
const READ = `
@group(0) @binding(0) var<storage, read> data: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> found: u32;

@compute @workgroup_size(256)
fn read_all(@builtin(global_invocation_id) id: vec3<u32>) {
  var all = vec4<u32>();
  for (var i = id.x; i < arrayLength(&data); i += ${GROUPS}u * 256u) { all ^= data[i]; }
  if ((all.x ^ all.y ^ all.z ^ all.w) == 0x5eed5eedu) { found = id.x; }
}`;

/** The best of several rounds; each reads the buffer over and over for a tenth of a second. */
export async function measureBandwidth(adapter: GPUAdapter): Promise<Bandwidth> {
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const limits = { maxBufferSize, maxStorageBufferBindingSize };
  const device = await WatchedDevice.open(adapter, [], limits);
  try {
    const wanted = adapter.info.isFallbackAdapter ? EMULATED : LARGEST;
    const fitting = Math.min(wanted, maxBufferSize, maxStorageBufferBindingSize);
    const data = await largestBuffer(device, Math.floor(fitting / CHUNK) * CHUNK);
    const read = await device.scoped("the kernel that reads", () => reader(device, data));
    let repeats = 1;
    await read(repeats); // first uses cost more
    let taken = await read(repeats);
    while (taken < WINDOW_MS) {
      repeats *= 2;
      taken = await read(repeats);
    }
    for (let round = 1; round < ROUNDS; round++) taken = Math.min(taken, await read(repeats));
    return { bytes_per_s: (data.size * repeats * 1000) / taken, buffer_bytes: data.size };
  } finally {
    device.destroy();
  }
}

/** `size` bytes of random words, or half as many as often as memory asks for it. */
async function largestBuffer(device: WatchedDevice, size: number): Promise<GPUBuffer> {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  let buffer: GPUBuffer;
  try {
    buffer = await device.scoped("reading", () => device.gpu.createBuffer({ size, usage }));
  } catch (error) {
    if (!(error instanceof WebkilnError) || error.code !== "out-of-memory") throw error;
    return largestBuffer(device, size / 2);
  }
  const words = Uint32Array.from({ length: CHUNK / 4 }, randoms(1));
  for (let offset = 0; offset < size; offset += CHUNK) {
    device.gpu.queue.writeBuffer(buffer, offset, words);
  }
  return buffer;
}

/** A function that reads the buffer so often, and gives the milliseconds it took. */
function reader(device: WatchedDevice, data: GPUBuffer): (repeats: number) => Promise<number> {
  const { gpu } = device;
  const module = gpu.createShaderModule({ code: READ });
  const pipeline = gpu.createComputePipeline({ layout: "auto", compute: { module } });
  const found = gpu.createBuffer({ size: 4, usage: GPUBufferUsage.STORAGE });
  const group = gpu.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [data, found].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  return async (repeats) => {
    const encoder = gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let count = 0; count < repeats; count++) pass.dispatchWorkgroups(GROUPS);
    pass.end();
    const start = performance.now();
    gpu.queue.submit([encoder.finish()]);
    await gpu.queue.onSubmittedWorkDone();
    device.check();
    return performance.now() - start;
  };
}
