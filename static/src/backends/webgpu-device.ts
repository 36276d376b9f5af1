/** The GPU device: asked for with what the plan needs, and watched until it is gone. */

import { WebkilnError } from "../engine/api";
import { asWebkilnError, formatBytes } from "../engine/errors";
import type { Buffer, Plan, Requirements } from "../plan";

/** Bytes of a buffer at the chosen context, rounded up to whole words. */
export function bufferBytes(buffer: Buffer, context: number): number {
  return Math.ceil((buffer.bytes + buffer.bytes_per_token * context) / 4) * 4;
}

/** The variant's limits, raised where the chosen context makes a buffer larger than they allow. */
export function neededLimits(
  requires: Requirements,
  plan: Plan,
  context: number,
): Record<string, number> {
  const limits = { ...requires.limits };
  const largest = Math.max(...plan.buffers.map((buffer) => bufferBytes(buffer, context)));
  const state = plan.buffers.filter((buffer) => buffer.bytes_per_token > 0);
  const binding = Math.max(0, ...state.map((buffer) => bufferBytes(buffer, context)));
  const raise = (name: string, initial: number, bytes: number): void => {
    if (bytes > (limits[name] ?? initial)) limits[name] = bytes;
  };
  raise("maxBufferSize", 256 * 2 ** 20, largest);
  raise("maxStorageBufferBindingSize", 128 * 2 ** 20, binding);
  return limits;
}

/** Refuses before anything is allocated, with the context that would fit. */
export function checkSizes(adapter: GPUAdapter, plan: Plan, context: number): void {
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  for (const buffer of plan.buffers) {
    const bytes = bufferBytes(buffer, context);
    const growing = buffer.bytes_per_token > 0;
    const limit = growing ? Math.min(maxBufferSize, maxStorageBufferBindingSize) : maxBufferSize;
    if (bytes <= limit) continue;
    const largest = Math.floor((limit - buffer.bytes) / (buffer.bytes_per_token || 1));
    throw new WebkilnError(
      "device-too-small",
      `the buffer ${buffer.name} takes ${formatBytes(bytes)}; this device allows ${formatBytes(limit)}`,
      growing && largest > 0
        ? `Choose a context of at most ${largest} tokens (it is ${context}).`
        : "Choose a smaller model.",
      { bytes, allowed: limit, ...(growing && largest > 0 ? { fits: largest, context } : {}) },
    );
  }
}

export class WatchedDevice {
  private failure: WebkilnError | null = null;
  private closing = false;

  private constructor(readonly gpu: GPUDevice) {
    gpu.lost.then((info) => {
      if (!this.closing) this.failure = lost(info);
    });
    gpu.onuncapturederror = ({ error }) => {
      this.failure ??= asGpuError(error, "while running");
    };
  }

  static async open(
    adapter: GPUAdapter,
    features: string[],
    limits: Record<string, number>,
  ): Promise<WatchedDevice> {
    try {
      const gpu = await adapter.requestDevice({
        label: "webkiln",
        requiredFeatures: features as GPUFeatureName[],
        requiredLimits: limits,
      });
      return new WatchedDevice(gpu);
    } catch (error) {
      throw new WebkilnError(
        "device-too-small",
        `the graphics adapter refused the device: ${error instanceof Error ? error.message : error}`,
        "Choose a smaller model or context, or another variant.",
      );
    }
  }

  /** Throws what went wrong since the last look, if anything did. */
  check(): void {
    if (this.failure !== null) throw this.failure;
  }

  /**
   * The reason behind a rejected GPU promise. On a lost device promises reject with an unspecific
   * error, sometimes before `lost` resolves: give it a moment.
   */
  async explain(error: unknown): Promise<WebkilnError> {
    const moment = new Promise((resolve) => setTimeout(resolve, 200));
    await Promise.race([this.gpu.lost, moment]);
    return this.failure ?? asWebkilnError(error);
  }

  /** Runs `create`; a validation or memory error in it is thrown, with `what` named. */
  async scoped<T>(what: string, create: () => T): Promise<T> {
    this.gpu.pushErrorScope("out-of-memory");
    this.gpu.pushErrorScope("validation");
    // Both scopes are popped before the first await: later calls have scopes of their own.
    const popBoth = (): Promise<(GPUError | null)[]> =>
      Promise.all([this.gpu.popErrorScope(), this.gpu.popErrorScope()]);
    let result: T;
    try {
      result = create();
    } catch (error) {
      await popBoth();
      throw error;
    }
    const error = (await popBoth()).find((found) => found !== null);
    this.check();
    if (error) throw asGpuError(error, what);
    return result;
  }

  destroy(): void {
    this.closing = true;
    this.gpu.destroy();
  }
}

function lost(info: GPUDeviceLostInfo): WebkilnError {
  return new WebkilnError(
    "device-lost",
    `the graphics device was lost: ${info.message || info.reason || "no reason given"}`,
    "Load the model again; if it happens repeatedly, choose a smaller model or context.",
  );
}

export function asGpuError(error: GPUError, what: string): WebkilnError {
  if (error instanceof GPUOutOfMemoryError) {
    return new WebkilnError(
      "out-of-memory",
      `the graphics device has no memory left (${what})`,
      "Close other tabs, or choose a smaller model or context.",
    );
  }
  return validationError(what, error.message);
}

export function validationError(what: string, message: string): WebkilnError {
  return new WebkilnError(
    "gpu-validation",
    `WebGPU refused ${what}: ${message}`,
    "This is a fault of the compiled model or of the browser: report it with this message.",
  );
}
