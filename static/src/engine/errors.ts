import { INSECURE } from "../device/judge";
import { type ErrorCode, WebkilnError } from "./api";
import type { WireError } from "./protocol";

const AGAIN = "Try again; if it happens again, report it with this message.";

/** Any thrown value as a WebkilnError; our own errors pass through unchanged. */
export function asWebkilnError(error: unknown): WebkilnError {
  if (error instanceof WebkilnError) return error;
  if (error instanceof DOMException && error.name === "AbortError") return aborted();
  if (error instanceof RangeError && /allocat|array length/i.test(error.message)) {
    return new WebkilnError(
      "out-of-memory",
      `the browser refused an allocation: ${error.message}`,
      "Close other tabs or choose a smaller model or context.",
    );
  }
  if (error instanceof WebAssembly.RuntimeError) {
    return new WebkilnError(
      "kernel-fault",
      `a WebAssembly kernel stopped: ${error.message}`,
      "This is a fault of the compiled model or of the browser: report it with this message.",
    );
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new WebkilnError("internal", message, AGAIN);
}

export function aborted(): WebkilnError {
  return new WebkilnError("aborted", "the call was aborted by its signal", "Start it again.");
}

/** A part of the engine that is fetched when it is needed; no way of running does without its own. */
export async function partOf<T>(part: Promise<T>): Promise<T> {
  try {
    return await part;
  } catch (error) {
    throw new WebkilnError(
      "network",
      `a part of the engine could not be fetched: ${error instanceof Error ? error.message : error}`,
      "Check the connection and try again; what has arrived is kept.",
    );
  }
}

/** Without one nothing can be kept or checked against its hash. */
export function requireSecureContext(): void {
  if (globalThis.isSecureContext) return;
  throw new WebkilnError(
    "insecure-context",
    INSECURE,
    "Open the page over https, or on localhost.",
  );
}

export function toWire(error: unknown): WireError {
  const { code, message, hint, values } = asWebkilnError(error);
  return { code, message, hint, values };
}

export function fromWire(error: WireError): WebkilnError {
  return new WebkilnError(error.code, error.message, error.hint, error.values);
}

// What went wrong with a backend that was running, and may not go wrong again.
const LOSSES: ErrorCode[] = ["device-lost", "out-of-memory", "gpu-validation", "kernel-fault"];
// What speaks against one way of running the model; all other errors are the same on every rung.
const RUNG_FAULTS: ErrorCode[] = [
  ...LOSSES,
  "webgpu-unavailable",
  "no-adapter",
  "device-too-small",
  "wrong-answer",
  "internal",
];

/** Whether another backend, or the same one opened anew, may do better in mid-answer. */
export function isLoss(error: WebkilnError): boolean {
  return LOSSES.includes(error.code);
}

/** Whether loading on another rung may succeed. */
export function isRungFault(error: WebkilnError): boolean {
  return RUNG_FAULTS.includes(error.code);
}

/** Bytes in the unit a person would use. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), units.length);
  const value = bytes / 2 ** (10 * power);
  return `${value.toFixed(value < 10 && !Number.isInteger(value) ? 1 : 0)} ${units[power - 1]}`;
}
