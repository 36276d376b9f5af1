/** Messages between a page and pace.js. */

import type { Pace } from "../engine/assessment";

export type PaceRequest =
  /** Make up so many bytes of weights for WebAssembly, with or without relaxed SIMD. */
  | { type: "open"; bytes: number; relaxed: boolean }
  /** Read them for about so long. */
  | { type: "read"; ms: number }
  | { type: "webgpu"; ms: number };

export type PaceReply =
  | { type: "opened" }
  | { type: "pace"; pace: Pace }
  | { type: "failed"; why: string };
