/** Contents of the state buffers `control` and `sampling`, laid out as plan.ts says. */

import type { StateData } from "../backends/backend";
import { CONTROL_SLOTS, Control, SAMPLING_SLOTS, Sampling } from "../plan";
import { WebkilnError } from "./api";
import type { SamplingSettings } from "./requests";

/** All of `control` for a new sequence. */
export function controlState(
  position: number,
  context: number,
  sampling: SamplingSettings,
  stopTokens: number[],
): Int32Array<ArrayBuffer> {
  const room = Control.TAKEN - Control.STOP;
  if (stopTokens.length > room) {
    throw new WebkilnError(
      "bad-bundle",
      `the model has ${stopTokens.length} stop tokens; at most ${room} are supported`,
      "Compile the model again with fewer.",
    );
  }
  const control = new Int32Array(CONTROL_SLOTS);
  control[Control.POSITION] = position;
  control[Control.CONTEXT] = context;
  control[Control.SEED] = sampling.seed;

  control[Control.STOP_COUNT] = stopTokens.length;
  control.set(stopTokens, Control.STOP);
  return control;
}

export function samplingState(settings: SamplingSettings): Float32Array<ArrayBuffer> {
  const values = new Float32Array(SAMPLING_SLOTS);
  values[Sampling.TEMPERATURE] = settings.temperature;
  values[Sampling.TOP_P] = settings.topP;
  values[Sampling.MIN_P] = settings.minP;
  values[Sampling.REPETITION] = settings.repetition;
  values[Sampling.PRESENCE] = settings.presence;
  values[Sampling.FREQUENCY] = settings.frequency;
  values[Sampling.TOP_K] = settings.topK;
  return values;
}

/** All of `control` for a text of an embedder, of which `rows` rows are computed. */
export function textState(tokens: number, rows: number, context: number): Int32Array<ArrayBuffer> {
  const control = new Int32Array(CONTROL_SLOTS);
  control[Control.COUNT] = rows;
  control[Control.CONTEXT] = context;
  control[Control.TEXT] = tokens;
  return control;
}

/** The write into `control` that starts a prefill chunk: byte offset and data. */
export function prefillState(position: number, count: number): [number, StateData] {
  return [Control.POSITION * 4, Int32Array.of(position, count)];
}

/** The write into `control` that sends decoding to a position. */
export function positionState(position: number): [number, StateData] {
  return prefillState(position, 1);
}
