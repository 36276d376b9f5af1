import { describe, expect, test } from "vitest";
import { checkDevice, requireChoice, type Surroundings } from "../../../../static/src/device/check";
import { manifest } from "../bundle";

const WISHES = { backend: null, variant: null, context: 64 };

function here(
  adapter: { features?: string[]; limits?: Record<string, number>; fallback?: boolean } | null,
  rest: Partial<Surroundings> = {},
): Surroundings {
  const found = adapter && {
    info: {
      vendor: "acme",
      architecture: "",
      description: "",
      isFallbackAdapter: adapter.fallback ?? false,
    },
    features: new Set(adapter.features),
    limits: adapter.limits ?? { maxBufferSize: 1000 },
  };
  return {
    gpu: { requestAdapter: async () => found as unknown as GPUAdapter },
    secureContext: true,
    crossOriginIsolated: false,
    webassembly: [],
    cores: 4,
    deviceMemory: undefined,
    ...rest,
  };
}

async function failure(
  surroundings: Surroundings,
  wishes: Parameters<typeof checkDevice>[1] = WISHES,
) {
  const { report } = await checkDevice(manifest(), wishes, surroundings);
  try {
    requireChoice(report, wishes);
  } catch (error) {
    return error;
  }
  throw new Error(`chose ${report.chosen}`);
}

test("takes the best variant the device can run", async () => {
  const able = await checkDevice(manifest(), WISHES, here({ features: ["shader-f16"] }));
  expect(able.report.chosen).toBe("f16");
  const { report } = await checkDevice(manifest(), WISHES, here({}));
  expect(report.chosen).toBe("f32");
  expect(report.rungs).toEqual([
    {
      variant: "f16",
      backend: "webgpu",
      usable: false,
      reasons: ["the graphics adapter lacks the feature shader-f16"],
    },
    { variant: "f32", backend: "webgpu", usable: true, reasons: [] },
  ]);
});

test("an emulated adapter and scarce memory are said, not refused", async () => {
  const surroundings = here({ fallback: true }, { deviceMemory: 1e-7 });
  const { report } = await checkDevice(manifest(), WISHES, surroundings);
  expect(report.chosen).toBe("f32");
  expect(report.rungs[1]?.reasons).toEqual([
    expect.stringMatching(/emulated in software/),
    // 100 weights + 10 scratch + 10 + 64 * 4 state
    expect.stringMatching(/376 bytes/),
  ]);
});

test("a wasm variant waits for its backend", async () => {
  const source = manifest();
  const f32 = source.variants.f32;
  if (f32) source.variants = { wasm: { ...f32, backend: "wasm" } };
  const { report } = await checkDevice(source, WISHES, here({}));
  expect(report.rungs[0]?.reasons).toEqual(["this version has no WebAssembly backend yet"]);
  expect(report.chosen).toBeNull();
});

describe("what cannot run says why", () => {
  test.each([
    ["insecure-context", here(null, { secureContext: false }), /plain http/],
    ["webgpu-unavailable", here(null, { gpu: undefined }), /does not offer WebGPU/],
    ["no-adapter", here(null), /no usable graphics adapter/],
    ["device-too-small", here({ limits: { maxBufferSize: 999 } }), /maxBufferSize of 1000.*999/],
  ])("%s", async (code, surroundings, message) => {
    expect(await failure(surroundings)).toMatchObject({
      code,
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/\w/),
    });
  });

  test("a forced variant or backend is used or refused, never replaced", async () => {
    expect(await failure(here({}), { ...WISHES, variant: "f16" })).toMatchObject({
      code: "device-too-small",
      message: expect.stringMatching(/f16: .*shader-f16/),
    });
    expect(await failure(here({}), { ...WISHES, variant: "f64" })).toMatchObject({
      code: "bad-request",
      message: expect.stringMatching(/f16, f32/),
    });
    expect(await failure(here({}), { ...WISHES, backend: "wasm" })).toMatchObject({
      message: expect.stringMatching(/not compiled for the backend wasm/),
    });
  });
});
