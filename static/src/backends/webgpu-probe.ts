/** One kernel on buffers of its own: what the self-test looks at. */

import type { Kernel } from "../plan";
import type { WatchedDevice } from "./webgpu-device";
import { createPipelines } from "./webgpu-pipelines";
import { readBuffer } from "./webgpu-readback";
import { element } from "./webgpu-steps";

/** Runs `kernel` once; gives what the binding `output` holds afterwards. */
export async function probeKernel(
  device: WatchedDevice,
  kernel: Kernel,
  kernelText: Uint8Array,
  grid: readonly number[],
  contents: readonly Uint32Array<ArrayBuffer>[],
  output: number,
): Promise<Uint32Array<ArrayBuffer>> {
  const made = await createPipelines(device, [kernel], kernelText, () => {});
  const buffers: GPUBuffer[] = [];
  try {
    await device.scoped(`the self-test of kernel ${kernel.name}`, () => {
      for (const words of contents) buffers.push(filled(device.gpu, words));
      const group = device.gpu.createBindGroup({
        label: `self-test of ${kernel.name}`,
        layout: element(made.layouts, 0),
        entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
      });
      submit(device.gpu, element(made.pipelines, 0), group, grid);
    });
    return new Uint32Array(await readBuffer(device.gpu, element(buffers, output)));
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}

function filled(gpu: GPUDevice, words: Uint32Array<ArrayBuffer>): GPUBuffer {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const buffer = gpu.createBuffer({ label: "self-test", size: words.byteLength, usage });
  gpu.queue.writeBuffer(buffer, 0, words);
  return buffer;
}

function submit(
  gpu: GPUDevice,
  pipeline: GPUComputePipeline,
  group: GPUBindGroup,
  [x = 1, y = 1, z = 1]: readonly number[],
): void {
  const encoder = gpu.createCommandEncoder({ label: "self-test" });
  const pass = encoder.beginComputePass({ label: "self-test" });
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(x, y, z);
  pass.end();
  gpu.queue.submit([encoder.finish()]);
}
