/** Kernel text to compute pipelines. */

import type { Kernel } from "../plan";
import { validationError, type WatchedDevice } from "./webgpu-device";

export interface Pipelines {
  /** One per kernel, in their order. */
  pipelines: GPUComputePipeline[];
  layouts: GPUBindGroupLayout[];
}

/** Kernels with the same access modes share one layout: `r`, `w` for each binding. */
class Layouts {
  private readonly made = new Map<
    string,
    { group: GPUBindGroupLayout; layout: GPUPipelineLayout }
  >();

  constructor(private readonly gpu: GPUDevice) {}

  of(kernel: Kernel): { group: GPUBindGroupLayout; layout: GPUPipelineLayout } {
    const key = kernel.access.map((access) => (access === "read" ? "r" : "w")).join("");
    const known = this.made.get(key);
    if (known) return known;
    const group = this.gpu.createBindGroupLayout({
      label: key,
      entries: kernel.access.map((access, binding) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: access === "read" ? "read-only-storage" : "storage" },
      })),
    });
    const layout = this.gpu.createPipelineLayout({ label: key, bindGroupLayouts: [group] });
    this.made.set(key, { group, layout });
    return { group, layout };
  }
}

/** All kernels at once: the browser compiles them on as many threads as it has. */
export async function createPipelines(
  device: WatchedDevice,
  kernels: readonly Kernel[],
  kernelText: Uint8Array,
  onKernel: () => void,
): Promise<Pipelines> {
  const layouts = new Layouts(device.gpu);
  const groups = await device.scoped("the binding layouts", () =>
    kernels.map((kernel) => layouts.of(kernel).group),
  );
  const pipelines = await Promise.all(
    kernels.map(async (kernel) => {
      const pipeline = await createPipeline(device, kernel, layouts.of(kernel).layout, kernelText);
      onKernel();
      return pipeline;
    }),
  );
  return { pipelines, layouts: groups };
}

async function createPipeline(
  device: WatchedDevice,
  kernel: Kernel,
  layout: GPUPipelineLayout,
  kernelText: Uint8Array,
): Promise<GPUComputePipeline> {
  const span = kernelText.subarray(kernel.offset, kernel.offset + kernel.bytes);
  const code = new TextDecoder().decode(span);
  const { gpu } = device;
  // The compilation messages say more than the scope's error, which would otherwise be uncaptured.
  gpu.pushErrorScope("validation");
  const module = gpu.createShaderModule({ label: kernel.name, code });
  const refused = gpu.popErrorScope();
  const pipeline = gpu
    .createComputePipelineAsync({
      label: kernel.name,
      layout,
      compute: { module, entryPoint: kernel.entry },
    })
    .catch((error: unknown) => error as GPUPipelineError);
  const { messages } = await module.getCompilationInfo();
  const problems = messages
    .filter((message) => message.type === "error")
    .map((message) => `line ${message.lineNum}: ${message.message}`);
  const scopeError = await refused;
  if (problems.length === 0 && scopeError) problems.push(scopeError.message);
  const result = await pipeline;
  device.check();
  if (problems.length > 0) throw validationError(`kernel ${kernel.name}`, problems.join("; "));
  if (result instanceof Error) throw validationError(`kernel ${kernel.name}`, result.message);
  return result as GPUComputePipeline;
}
