/** What was measured, and how it is written down. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CapabilityReport } from "../../../static/src/engine/api";
import type { Plan } from "../../../static/src/plan";
import type { Bandwidth } from "./bandwidth";
import type { Program } from "./bundle";
import type { Profile } from "./profile";
import type { Lengths, Point, Speed } from "./speed";
import type { Spread } from "./spread";
import { traffic } from "./traffic";

export type AdapterReport = NonNullable<CapabilityReport["adapter"]>;

export interface Conditions {
  date: string;
  adapter: AdapterReport;
  node: string;
  dawn: string;
  bandwidth: Bandwidth;
}

/** Decoding after a prompt, against what the memory could give. */
export interface PointReport extends Point {
  /** Weights, keys and values read for one token, in the middle of the answer. */
  bytes_per_token: number;
  /** Of the bandwidth that was measured. */
  bandwidth_share: number;
}

export interface VariantReport {
  model: string;
  variant: string;
  parameters: number;
  weight_bytes: number;
  context: number;
  rounds: number;
  dispatches_per_token: number;
  /** The most that one decoder layer takes. */
  dispatches_per_layer: number;
  step_cpu_ms: Spread;
  points: PointReport[];
  /** Null where the adapter has no timestamps. */
  profiles: Profile[] | null;
}

export interface Report extends Conditions {
  variants: VariantReport[];
  /** Variants and models that were left out, and why. */
  skipped: string[];
}

export function variantReport(
  { manifest, name, variant, plan }: Program,
  { context, rounds }: Lengths,
  speed: Speed,
  profiles: Profile[] | null,
  bandwidth: Bandwidth,
): VariantReport {
  const steps = plan.functions.decode?.steps ?? [];
  return {
    model: manifest.name,
    variant: name,
    parameters: manifest.parameters,
    weight_bytes: variant.memory.weights,
    context,
    rounds,
    dispatches_per_token: steps.length,
    dispatches_per_layer: mostInALayer(steps),
    step_cpu_ms: speed.step_cpu_ms,
    points: speed.points.map((point) => {
      const middle = point.prompt + Math.floor(point.decode / 2);
      const { weights, cache } = traffic(plan, manifest.tensors, "decode", middle);
      const bytes = weights + cache;
      const share = (bytes * point.decode_tokens_per_s.median) / bandwidth.bytes_per_s;
      return { ...point, bytes_per_token: bytes, bandwidth_share: share };
    }),
    profiles,
  };
}

function mostInALayer(steps: Plan["functions"][string]["steps"]): number {
  const counts = new Map<number, number>();
  for (const { layer } of steps) {
    if (layer !== null) counts.set(layer, (counts.get(layer) ?? 0) + 1);
  }
  return Math.max(0, ...counts.values());
}

/** `<date>-gpu-<adapter>.json` and the same as `.md`; the first one's path. */
export async function writeReport(folder: string, report: Report): Promise<string> {
  await mkdir(folder, { recursive: true });
  const stem = join(folder, `${report.date}-gpu-${slug(adapterName(report.adapter))}`);
  await writeFile(`${stem}.json`, `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(`${stem}.md`, markdown(report));
  return `${stem}.json`;
}

/** The adapter as people call it. */
export function adapterName({ vendor, architecture, description }: AdapterReport): string {
  return description || [vendor, architecture].filter((part) => part !== "").join(" ") || "unknown";
}

function slug(name: string): string {
  const words = name.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return words.slice(0, 4).join("-");
}

export function markdown(report: Report): string {
  const parts = [
    `# GPU, ${report.date}: ${adapterName(report.adapter)}`,
    `${inBrief(report)}`,
    table(SPEED_HEAD, report.variants.flatMap(speedRows)),
    ...report.skipped.map((reason) => `- left out: ${reason}`),
    ...report.variants.flatMap(profileParts),
  ];
  return `${parts.join("\n\n")}\n`;
}

function inBrief({ adapter, node, dawn, bandwidth }: Report): string {
  const emulated = adapter.fallback ? " **The adapter is emulated in software.**" : "";
  return (
    `Random weights; Node ${node}, Dawn of webgpu ${dawn}. ` +
    `A kernel that only reads gets ${gigabytes(bandwidth.bytes_per_s)} GB/s from a buffer of ` +
    `${bandwidth.buffer_bytes / 2 ** 20} MiB.${emulated}`
  );
}

const SPEED_HEAD = [
  "model",
  "variant",
  "weights MB",
  "dispatches (a layer)",
  "CPU ms a step",
  "prompt",
  "prefill tok/s",
  "decode tok/s",
  "MB read a token",
  "of bandwidth",
];

function speedRows(measured: VariantReport): string[][] {
  return measured.points.map((point) => [
    measured.model,
    measured.variant,
    megabytes(measured.weight_bytes),
    `${measured.dispatches_per_token} (${measured.dispatches_per_layer})`,
    measured.step_cpu_ms.median.toFixed(3),
    `${point.prompt}`,
    range(point.prefill_tokens_per_s),
    range(point.decode_tokens_per_s),
    megabytes(point.bytes_per_token),
    percent(point.bandwidth_share),
  ]);
}

function profileParts({ model, variant, profiles }: VariantReport): string[] {
  if (profiles === null)
    return [`${model}, ${variant}: no times per kernel, the adapter has none.`];
  return profiles.flatMap((profile) => [
    `## ${model}, ${variant}: ${profile.function} at position ${profile.position}, ` +
      `${profile.ms.toFixed(3)} ms in passes of their own`,
    table(["kernel", "count", "ms", "share", "GB/s"], profile.kernels.map(kernelRow)),
  ]);
}

function kernelRow(time: Profile["kernels"][number]): string[] {
  const [ms, rate] = [time.ms.toFixed(4), gigabytes(time.bytes_per_s)];
  return [time.kernel, `${time.count}`, ms, percent(time.share), time.bytes_per_s > 0 ? rate : ""];
}

/** Markdown; what looks like a number is set to the right. */
function table(head: string[], rows: string[][]): string {
  const marks = head.map((_, column) => (/^\d/.test(rows[0]?.[column] ?? "") ? "---:" : "---"));
  return [head, marks, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function range({ median, lowest, highest }: Spread): string {
  return `${median.toFixed(1)} (${lowest.toFixed(1)} to ${highest.toFixed(1)})`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}
