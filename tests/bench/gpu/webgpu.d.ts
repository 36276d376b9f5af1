/** The npm package `webgpu`, which only the kit has: Dawn for Node. */
declare module "webgpu" {
  /** `flags`: `name=value`; keep the result, or devices made from it are collected. */
  export function create(flags: string[]): GPU;
  /** GPUBufferUsage and the like, for globalThis. */
  export const globals: Record<string, unknown>;
}
