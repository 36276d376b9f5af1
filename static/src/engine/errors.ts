import { WebkilnError } from "./api";
import type { WireError } from "./protocol";

const AGAIN = "Try again; if it happens again, report it with this message.";

/** Any thrown value as a WebkilnError; our own errors pass through unchanged. */
export function asWebkilnError(error: unknown): WebkilnError {
  if (error instanceof WebkilnError) return error;
  if (error instanceof DOMException && error.name === "AbortError") return aborted();
  if (error instanceof RangeError && /allocation|array length/i.test(error.message)) {
    return new WebkilnError(
      "out-of-memory",
      `the browser refused an allocation: ${error.message}`,
      "Close other tabs or choose a smaller model or context.",
    );
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new WebkilnError("internal", message, AGAIN);
}

export function aborted(): WebkilnError {
  return new WebkilnError("aborted", "the call was aborted by its signal", "Start it again.");
}

export function toWire(error: unknown): WireError {
  const { code, message, hint } = asWebkilnError(error);
  return { code, message, hint };
}

export function fromWire(error: WireError): WebkilnError {
  return new WebkilnError(error.code, error.message, error.hint);
}

/** Bytes in the unit a person would use. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), units.length);
  const value = bytes / 2 ** (10 * power);
  return `${value.toFixed(value < 10 && !Number.isInteger(value) ? 1 : 0)} ${units[power - 1]}`;
}
