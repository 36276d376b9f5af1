/** What can go wrong with a WebAssembly module and its threads, in words. */

import { WebkilnError } from "../engine/api";

const REPORT =
  "This is a fault of the compiled model or of the browser: report it with this message.";

/** The module or the plan breaks the contract in plan.ts. */
export function badModule(problem: string): WebkilnError {
  return new WebkilnError(
    "bad-bundle",
    `the WebAssembly kernels do not fit their plan: ${problem}`,
    "Compile the model again with this version of webkiln.",
  );
}

/** The browser does not take the module, perhaps for want of a feature. */
export function refusedModule(error: unknown): WebkilnError {
  return new WebkilnError(
    "internal",
    `the browser refused the WebAssembly kernels: ${reasonOf(error)}`,
    "Update the browser, or choose another variant.",
  );
}

export function noMemory(size: string, error: unknown): WebkilnError {
  return new WebkilnError(
    "out-of-memory",
    `the browser refused ${size} of WebAssembly memory: ${reasonOf(error)}`,
    "Close other tabs, or choose a smaller model or context.",
  );
}

export function helperFailed(thread: number, problem: string): WebkilnError {
  return new WebkilnError(
    "internal",
    `helper thread ${thread} could not be started: ${problem}`,
    "Reload the page, or choose the variant without threads.",
  );
}

export function kernelFault(message: string): WebkilnError {
  return new WebkilnError("kernel-fault", message, REPORT);
}

export function disposed(): WebkilnError {
  return new WebkilnError(
    "bad-request",
    "the WebAssembly backend has been disposed of",
    "Create a new engine with createEngine.",
  );
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
