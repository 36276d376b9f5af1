/** What `make bench-gpu` makes of plans and times; the plan is small enough to count by hand. */

import { expect, test } from "vitest";
import type { Bytes } from "../../../../static/src/load/files";
import {
  type Buffer,
  FORMAT,
  type Kernel,
  type Plan,
  type Tensor,
} from "../../../../static/src/plan";
import { summarise } from "../../../bench/gpu/profile";
import { markdown, type Report, variantReport } from "../../../bench/gpu/report";
import { spread } from "../../../bench/gpu/spread";
import { traffic } from "../../../bench/gpu/traffic";
import { fillWeights, halfBits } from "../../../bench/gpu/weights";
import { manifest } from "../bundle";

const Q4 = { bits: 4, group: 32, has_minimum: true, in_scales: false } as const;
const F32 = { bits: 32, group: 0, has_minimum: false, in_scales: false } as const;

function matrix(rows: number, columns: number): Tensor {
  const [codes, scales] = [(rows * columns) / 2, (rows * columns) / 8];
  const parts = {
    codes: { file: "", offset: 0, bytes: codes },
    scales: { file: "", offset: codes, bytes: scales },
  };
  return {
    shape: [rows, columns],
    scheme: Q4,
    layout: "blocked",
    bytes: codes + scales,
    parts,
    shards: [],
  };
}

const tensors: Record<string, Tensor> = {
  table: matrix(512, 64), // 20,480 bytes, 40 a row
  layer: matrix(64, 64), // 2,560 bytes
  norm: {
    shape: [64],
    scheme: F32,
    layout: "plain",
    bytes: 256,
    parts: { values: { file: "", offset: 0, bytes: 256 } },
    shards: [],
  },
};

function buffer(name: string, kind: Buffer["kind"], bytes: number, bytes_per_token = 0): Buffer {
  return { name, kind, bytes, bytes_per_token };
}

function kernel(name: string, access: Kernel["access"]): Kernel {
  const workgroup = [1, 1, 1];
  return { name, entry: name, offset: 0, bytes: 0, workgroup, workgroup_bytes: 0, access };
}

const whole = (index: number) => ({ buffer: index, offset: 0, bytes: 0 });
const grid = [1, 1, 1];
const steps = [
  { kernel: 0, grid, bindings: [whole(0), whole(4)], layer: null, rows_axis: null },
  // Appends to the cache: that is no read.
  { kernel: 1, grid, bindings: [whole(1), whole(2), whole(3)], layer: 0, rows_axis: null },
  { kernel: 2, grid, bindings: [whole(3), whole(4)], layer: 0, rows_axis: null },
  // Codes and scales are bound one by one.
  {
    kernel: 3,
    grid,
    bindings: [
      { buffer: 1, offset: 0, bytes: 2048 },
      { buffer: 1, offset: 2048, bytes: 512 },
    ],
    layer: 1,
    rows_axis: null,
  },
];
const plan: Plan = {
  format: FORMAT,
  variant: "f32",
  recurrent: false,
  buffers: [
    buffer("table", "weight", 20480),
    buffer("layer", "weight", 2560),
    buffer("norm", "weight", 256),
    buffer("kv.0", "state", 0, 100),
    buffer("tokens", "state", 4, 4),
  ],
  kernels: [
    kernel("embed_4", ["read", "read"]),
    kernel("append", ["read", "read", "read_write"]),
    kernel("attend", ["read", "read"]),
    kernel("linear", ["read", "read"]),
  ],
  functions: {
    decode: { rows: 1, outputs: {}, steps },
    prefill_32: { rows: 32, outputs: {}, steps },
  },
};

test("a token reads every matrix once, one row of the embedding, and the cache up to itself", () => {
  const weights = 40 + (2560 + 256) + 2560;
  expect(traffic(plan, tensors, "decode", 9)).toEqual({ weights, cache: 10 * 100 });
});

test("a chunk reads a row of the embedding for each token, and matrices once", () => {
  const weights = 32 * 40 + (2560 + 256) + 2560;
  expect(traffic(plan, tensors, "prefill_32", 0)).toEqual({ weights, cache: 32 * 100 });
});

test("medians of odd and even counts", () => {
  expect(spread([3, 1, 2])).toEqual({ median: 2, lowest: 1, highest: 3 });
  expect(spread([4, 1, 2, 3]).median).toBe(2.5);
  expect(() => spread([])).toThrow("nothing was measured");
});

const program = {
  manifest: { ...manifest(), name: "Small", parameters: 36928, tensors },
  name: "f32",
  variant: {
    backend: "webgpu" as const,
    plan: "",
    kernels: "",
    requires: { features: [], limits: {} },
    memory: { weights: 23296, scratch: 0, state_base: 4, state_per_token: 104 },
    bytes_per_token: null,
    dispatches_per_token: null,
    selftest: [],
    tuned: {},
  },
  plan,
  kernels: new Uint8Array(),
};

test("times of steps are added up by kernel, the slowest first", () => {
  const twice: Plan = {
    ...plan,
    kernels: plan.kernels.map((one) => ({ ...one, name: one.entry })),
  };
  (twice.kernels[3] as Kernel).name = "append";
  const profile = summarise(
    { ...program, plan: twice },
    { function: "decode", position: 9 },
    [1, 2, 4, 3],
  );
  expect(profile.ms).toBe(10);
  expect(profile.kernels.map(({ kernel, count, ms, share }) => [kernel, count, ms, share])).toEqual(
    [
      ["append", 2, 5, 0.5],
      ["attend", 1, 4, 0.4],
      ["embed_4", 1, 1, 0.1],
    ],
  );
  expect(profile.kernels[1]?.bytes_per_s).toBe((10 * 100 * 1000) / 4);
});

test("the share of the bandwidth is bytes a token times tokens a second", () => {
  const rate = (value: number) => spread([value]);
  const point = {
    prompt: 8,
    decode: 2,
    prefill_tokens_per_s: rate(90),
    decode_tokens_per_s: rate(20),
  };
  const speed = { points: [point], step_cpu_ms: rate(0.25) };
  const bandwidth = { bytes_per_s: 1e6, buffer_bytes: 2 ** 20 };
  const lengths = { context: 64, prompts: [8], decode: 2, rounds: 1 };
  const measured = variantReport(program, lengths, speed, null, bandwidth);
  expect(measured).toMatchObject({ dispatches_per_token: 4, dispatches_per_layer: 2 });
  const bytes = 40 + 2816 + 2560 + 10 * 100; // at position 9, the middle of the answer
  expect(measured.points[0]).toMatchObject({
    bytes_per_token: bytes,
    bandwidth_share: (bytes * 20) / 1e6,
  });
  const report: Report = {
    date: "2026-11-21",
    adapter: { vendor: "acme", architecture: "", description: "", fallback: true },
    node: "20",
    dawn: "0.6",
    bandwidth,
    variants: [measured],
    skipped: ["Large, f32: too large"],
  };
  const text = markdown(report);
  expect(text).toContain("# GPU, 2026-11-21: acme");
  expect(text).toContain("emulated in software");
  expect(text).toContain("| Small | f32 | 0.0 | 4 (2) | 0.250 | 8 | 90.0 (90.0 to 90.0) | 20.0");
  expect(text).toContain("| 12.8% |");
  expect(text).toContain("- left out: Large, f32: too large");
});

test("numbers as f16", () => {
  expect([1, -2, 0.5, 1.5].map(halfBits)).toEqual([0x3c00, 0xc000, 0x3800, 0x3e00]);
  expect(() => halfBits(1e-6)).toThrow("no normal f16");
});

/** f16 to a number; the exponents are normal ones. */
function half(bits: number): number {
  const size = 2 ** (((bits >> 10) & 31) - 15) * (1 + (bits & 1023) / 1024);
  return bits & 0x8000 ? -size : size;
}

test("random weights fill every byte, with finite numbers of the size that keeps activations", async () => {
  const filled: Record<string, Uint8Array> = {};
  for (const { name, kind, bytes } of plan.buffers) {
    if (kind === "weight") filled[name] = new Uint8Array(bytes);
  }
  let settled = 0;
  await fillWeights(plan, tensors, {
    write: (name: string, offset: number, data: Bytes) => filled[name]?.set(data, offset),
    settle: async () => {
      settled += 1;
    },
  });
  expect(settled).toBe(1);
  const norm = new Float32Array((filled.norm as Uint8Array).buffer);
  expect(norm.every((value) => value >= 0.5 && value < 1)).toBe(true);
  const { codes, scales } = (tensors.table as Tensor).parts;
  const words = new Uint32Array((filled.table as Uint8Array).buffer);
  const nibbles = [...words.subarray(0, (codes?.bytes ?? 0) / 4)].flatMap((word) => [
    word & 15,
    word >>> 28,
  ]);
  expect(new Set(nibbles).size).toBe(16);
  const pairs = [...words.subarray((scales?.offset ?? 0) / 4)].map((word) => [
    half(word & 65535),
    half(word >>> 16),
  ]);
  const values = pairs.flatMap(([scale = 0, minimum = 0], index) =>
    nibbles.slice(2 * index, 2 * index + 2).map((code) => code * scale + minimum),
  );
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
  expect(Math.abs(mean)).toBeLessThan(0.01);
  expect(deviation).toBeGreaterThan(0.115); // 1 / sqrt(64) = 0.125
  expect(deviation).toBeLessThan(0.135);
});
