/** Functions of the plan as lists of dispatches whose bind groups are made once. */

import type { Plan, Step } from "../plan";
import type { WatchedDevice } from "./webgpu-device";
import type { Pipelines } from "./webgpu-pipelines";

export interface Dispatch {
  pipeline: GPUComputePipeline;
  group: GPUBindGroup;
  grid: readonly [number, number, number];
  /** Along which axis of the grid tokens are spread, if they are; and the function's tokens. */
  rowsAxis: number | null;
  rows: number;
}

/** Every function's dispatches. Steps that bind the same ranges the same way share a bind group. */
export async function createDispatches(
  device: WatchedDevice,
  plan: Plan,
  buffers: GPUBuffer[],
  { pipelines, layouts }: Pipelines,
): Promise<Map<string, Dispatch[]>> {
  const groups = new Map<GPUBindGroupLayout, Map<string, GPUBindGroup>>();
  const groupOf = (step: Step): GPUBindGroup => {
    const layout = element(layouts, step.kernel);
    const made = groups.get(layout) ?? new Map<string, GPUBindGroup>();
    groups.set(layout, made);
    const key = step.bindings.map((b) => `${b.buffer}+${b.offset}:${b.bytes}`).join(" ");
    const group = made.get(key) ?? createGroup(device.gpu, plan, buffers, step, layout);
    made.set(key, group);
    return group;
  };
  return device.scoped("the bind groups", () => {
    const functions = Object.entries(plan.functions).map(([name, fn]) => {
      const dispatches = fn.steps.map((step): Dispatch => {
        const [x = 1, y = 1, z = 1] = step.grid;
        return {
          pipeline: element(pipelines, step.kernel),
          group: groupOf(step),
          grid: [x, y, z],
          rowsAxis: step.rows_axis,
          rows: fn.rows,
        };
      });
      return [name, dispatches] as const;
    });
    return new Map(functions);
  });
}

function createGroup(
  gpu: GPUDevice,
  plan: Plan,
  buffers: GPUBuffer[],
  step: Step,
  layout: GPUBindGroupLayout,
): GPUBindGroup {
  return gpu.createBindGroup({
    label: element(plan.kernels, step.kernel).name,
    layout,
    entries: step.bindings.map(({ buffer, offset, bytes }, binding) => ({
      binding,
      resource: { buffer: element(buffers, buffer), offset, ...(bytes > 0 ? { size: bytes } : {}) },
    })),
  });
}

/** Encodes a run over `tokens` tokens. */
export function encode(
  pass: GPUComputePassEncoder,
  dispatches: readonly Dispatch[],
  tokens: number,
): void {
  let current: GPUComputePipeline | null = null;
  for (const { pipeline, group, grid, rowsAxis, rows } of dispatches) {
    if (pipeline !== current) pass.setPipeline(pipeline);
    current = pipeline;
    pass.setBindGroup(0, group);
    const [x, y, z] = grid;
    const part = (groups: number): number => Math.ceil((groups * tokens) / rows);
    pass.dispatchWorkgroups(rowsAxis === 0 ? part(x) : x, rowsAxis === 1 ? part(y) : y, z);
  }
}

/** `list[index]`, whose presence parsePlan has checked. */
export function element<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new RangeError(`no element ${index} among ${list.length}`);
  return item;
}
