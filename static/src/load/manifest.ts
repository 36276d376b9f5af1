/** manifest.json and plans: parsed strictly, then checked for references that lead nowhere. */

import { WebkilnError } from "../engine/api";
import {
  CONTROL_SLOTS,
  Control,
  type Embedding,
  FILE_NAME,
  FORMAT,
  type Manifest,
  type Plan,
  type SelfTest,
  type Span,
  type Tuned,
  type Variant,
} from "../plan";
import { Mismatch, type Reader } from "./decode";
import { readManifest, readPlan } from "./schema";

const RECOMPILE = "Compile the model again with this version of webkiln.";

const NAME = new RegExp(`^(${FILE_NAME})$`);

export function badBundle(file: string, problem: string): WebkilnError {
  return new WebkilnError("bad-bundle", `${file}: ${problem}`, RECOMPILE);
}

/** Address of the manifest of `model`, a bundle's folder or its manifest.json. */
export function manifestAddress(model: string, base: string): string {
  const address = new URL(model, base);
  if (!address.pathname.endsWith(".json")) {
    address.pathname = `${address.pathname.replace(/\/$/, "")}/manifest.json`;
  }
  return address.href;
}

function parse<T extends { format: number }>(bytes: Uint8Array, file: string, read: Reader<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw badBundle(file, "this is not JSON; is the model's address right?");
  }
  checkFormat(value, file);
  try {
    return read(value, "");
  } catch (error) {
    if (error instanceof Mismatch) throw badBundle(file, error.message);
    throw error;
  }
}

/** Before anything else: a file of another format has other keys. */
function checkFormat(value: unknown, file: string): void {
  const format = (value as { format?: unknown } | null)?.format;
  if (format === FORMAT) return;
  if (typeof format !== "number") throw badBundle(file, "it names no format version");
  const newer = format > FORMAT;
  throw new WebkilnError(
    "unsupported-format",
    `${file} has format ${format}, ${newer ? "newer" : "older"} than the ${FORMAT} this page reads`,
    newer ? "Update the site's webkiln, then reload." : RECOMPILE,
  );
}

export function parseManifest(bytes: Uint8Array): Manifest {
  const file = "manifest.json";
  const manifest = parse(bytes, file, readManifest);
  for (const [name, entry] of Object.entries(manifest.files)) {
    if (!NAME.test(name)) throw badBundle(file, `files.${name}: no name of a bundle's file`);
    if (!/^[0-9a-f]{64}$/.test(entry.sha256)) throw badBundle(file, `files.${name}: bad sha256`);
  }
  const named = [...manifest.tokenizer.model, manifest.tokenizer.config];
  for (const { plan, kernels } of programsOf(manifest)) named.push(plan, kernels);
  for (const name of named) {
    if (!Object.hasOwn(manifest.files, name)) throw badBundle(file, `${name} is not among files`);
  }
  for (const [name, tensor] of Object.entries(manifest.tensors)) {
    checkShards(manifest, name, tensor.shards, tensor.bytes);
  }
  return manifest;
}

function checkShards(manifest: Manifest, tensor: string, shards: Span[], bytes: number): void {
  let total = 0;
  for (const { file, offset, bytes: length } of shards) {
    const entry = Object.hasOwn(manifest.files, file) ? manifest.files[file] : undefined;
    if (entry === undefined || offset + length > entry.bytes) {
      throw badBundle("manifest.json", `tensors.${tensor}: its span of ${file} does not exist`);
    }
    total += length;
  }
  if (total !== bytes) {
    throw badBundle("manifest.json", `tensors.${tensor}: spans hold ${total} of ${bytes} bytes`);
  }
}

const MOST_ROWS = 32768; // of a prompt or a text at a time
const MOST_VERIFIED = CONTROL_SLOTS - Control.TOKEN; // tokens that `control` has room for

export function parsePlan(bytes: Uint8Array, file: string, manifest: Manifest): Plan {
  const plan = parse(bytes, file, readPlan);
  for (const [name, fn] of Object.entries(plan.functions)) checkFunction(plan, file, name, fn);
  for (const buffer of plan.buffers) {
    if (buffer.kind !== "weight") continue;
    const tensor = Object.hasOwn(manifest.tensors, buffer.name)
      ? manifest.tensors[buffer.name]
      : undefined;
    if (tensor === undefined || tensor.bytes !== buffer.bytes) {
      throw badBundle(file, `weight ${buffer.name} does not match the manifest`);
    }
  }
  const embeds = manifest.embedding !== null;
  for (const name of embeds ? ["control", "tokens"] : ["control", "tokens", "sampling", "counts"]) {
    if (!plan.buffers.some((buffer) => buffer.kind === "state" && buffer.name === name)) {
      throw badBundle(file, `the state buffer ${name} is missing`);
    }
  }
  for (const program of programsOf(manifest)) {
    if (program.plan === file) checkSelfTests(plan, file, program.selftest);
  }
  if (manifest.embedding !== null) checkTexts(plan, file, manifest.embedding);
  else checkGeneration(plan, file);
  return plan;
}

function checkGeneration({ functions, recurrent }: Plan, file: string): void {
  const names = Object.keys(functions);
  if (recurrent && names.some((name) => name.startsWith("verify_"))) {
    throw badBundle(file, "a recurrent model cannot take back guesses, and there is a verify_<N>");
  }
  if (!names.includes("decode") || !names.some((name) => name.startsWith("prefill_"))) {
    throw badBundle(file, "decode or prefill_<N> is missing");
  }
}

/** The longest text has its function, and every one gives a whole vector. */
function checkTexts({ buffers, functions }: Plan, file: string, embedding: Embedding): void {
  const texts = Object.entries(functions).filter(([name]) => name.startsWith("embed_"));
  if (!texts.some(([, { rows }]) => rows >= embedding.limit)) {
    throw badBundle(file, `no embed_<N> takes ${embedding.limit} tokens`);
  }
  for (const [name, { outputs }] of texts) {
    const { embedding: output } = outputs;
    const bytes = output === undefined ? 0 : (buffers[output]?.bytes ?? 0);
    if (bytes < embedding.dimensions * 4) {
      throw badBundle(file, `${name} does not give ${embedding.dimensions} numbers`);
    }
  }
}

/** A variant as it runs on adapters of `vendor`: tuned for them, where it was. */
export function variantFor(manifest: Manifest, name: string, vendor?: string): Variant {
  const variant = manifest.variants[name] as Variant; // rungs are named by the manifest
  if (variant.backend !== "webgpu" || !vendor) return variant; // a browser may hide the vendor
  return { ...variant, ...variant.tuned[vendor] };
}

/** Every plan of the bundle with its kernels and self-tests. */
function programsOf(manifest: Manifest): (Variant | Tuned)[] {
  const variants = Object.values(manifest.variants);
  return variants.flatMap((variant) => [variant, ...Object.values(variant.tuned)]);
}

function checkSelfTests(plan: Plan, file: string, tests: SelfTest[]): void {
  tests.forEach(({ kernel, grid, inputs, output, stride, expected }, index) => {
    const words = (inputs[output]?.bytes ?? 0) / 4;
    const fits =
      inputs.length === plan.kernels[kernel]?.access.length &&
      inputs.every((input) => input.bytes % 4 === 0 && input.words.length <= input.bytes / 4) &&
      grid.length === 3 &&
      (expected.length - 1) * stride < words;
    if (!fits) throw badBundle(file, `self-test ${index} does not fit its kernel`);
  });
}

function checkFunction(
  plan: Plan,
  file: string,
  name: string,
  fn: Plan["functions"][string],
): void {
  const least = name.startsWith("verify_") ? 2 : 1;
  const most = name === "decode" ? 1 : name.startsWith("verify_") ? MOST_VERIFIED : MOST_ROWS;
  if (fn.rows < least || fn.rows > most) {
    throw badBundle(file, `${name} works on ${fn.rows} tokens; ${least} to ${most} are possible`);
  }
  fn.steps.forEach((step, index) => {
    const kernel = plan.kernels[step.kernel];
    const fits =
      kernel !== undefined &&
      step.grid.length === 3 &&
      (step.rows_axis === null || step.rows_axis < 3) &&
      step.bindings.length === kernel.access.length &&
      step.bindings.every((binding) => plan.buffers[binding.buffer] !== undefined);
    if (!fits) throw badBundle(file, `${name}: step ${index} names a kernel or buffer wrongly`);
  });
  for (const [output, buffer] of Object.entries(fn.outputs)) {
    if (plan.buffers[buffer] === undefined) throw badBundle(file, `${name}: no output ${output}`);
  }
}
