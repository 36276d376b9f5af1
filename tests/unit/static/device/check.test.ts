import { describe, expect, test } from "vitest";
import { checkDevice, type Surroundings, type Wishes } from "../../../../static/src/device/check";
import { requireChoice } from "../../../../static/src/device/choose";
import type { Manifest, Variant } from "../../../../static/src/plan";
import { manifest } from "../bundle";

const WISHES: Wishes = { backend: null, variant: null, context: 64, crashed: [] };

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

async function failure(surroundings: Surroundings, wishes: Wishes = WISHES) {
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
      causes: [{ code: "card-lacks", feature: "shader-f16" }],
    },
    { variant: "f32", backend: "webgpu", usable: true, reasons: [], causes: [] },
  ]);
});

test("scarce memory is said, not refused", async () => {
  const { report } = await checkDevice(manifest(), WISHES, here({}, { deviceMemory: 1e-7 }));
  expect(report.chosen).toBe("f32");
  // 100 weights + 10 scratch + 10 + 64 * 4 state
  expect(report.rungs[1]?.reasons).toEqual([expect.stringMatching(/376 bytes/)]);
});

test.each([
  [4, "4 GiB:"],
  [8, "8 GiB or more:"], // browsers tell no more of devices that have more
])("of a device with %i GiB is said what the browser says", async (deviceMemory, told) => {
  const source = manifest();
  for (const variant of Object.values(source.variants)) variant.memory.weights = 7 * 2 ** 30;
  const { report } = await checkDevice(source, WISHES, here({}, { deviceMemory }));
  expect(report.rungs[1]?.reasons).toEqual([expect.stringContaining(`this device has ${told}`)]);
});

/** f32 on WebGPU, then WebAssembly with threads and without. */
function both(memory: Partial<Variant["memory"]> = {}): Manifest {
  const source = manifest();
  const f32 = source.variants.f32 as Variant;
  const wasm = (features: string[]): Variant => ({
    ...f32,
    backend: "wasm",
    requires: { features, limits: {} },
    memory: { ...f32.memory, ...memory },
  });
  const threads = wasm(["simd128", "threads"]);
  source.variants = { f32, "wasm-threads": threads, wasm: wasm(["simd128"]) };
  return source;
}

const ALL = ["simd128", "threads"];

describe("WebAssembly", () => {
  test.each([
    [{ webassembly: ALL, crossOriginIsolated: true }, "wasm-threads", [[], []]],
    [
      { webassembly: ["simd128"] },
      "wasm",
      [["the page is not cross-origin isolated, so WebAssembly gets one thread here"], []],
    ],
    [
      { webassembly: [], crossOriginIsolated: true },
      null,
      [
        ["this browser's WebAssembly lacks simd128", "this browser's WebAssembly lacks threads"],
        ["this browser's WebAssembly lacks simd128"],
      ],
    ],
  ])("%j", async (rest, chosen, reasons) => {
    const { report } = await checkDevice(both(), WISHES, here(null, rest));
    expect(report.chosen).toBe(chosen);
    expect(report.rungs.slice(1).map((rung) => rung.reasons)).toEqual(reasons);
    expect(report.webassembly).toEqual(rest.webassembly);
  });

  test("has 4 GiB, and says what context would fit", async () => {
    const surroundings = here(null, { webassembly: ["simd128"] });
    const reason = async (memory: Partial<Variant["memory"]>) => {
      const { report } = await checkDevice(both(memory), WISHES, surroundings);
      expect(report.chosen).toBeNull();
      return report.rungs[2]?.reasons;
    };
    // Left of 4 GiB beside 1 MiB for the module and 3 GiB of weights: 1023 MiB at 100 MiB each.
    const rest = { scratch: 0, state_base: 0, state_per_token: 100 * 2 ** 20 };
    expect(await reason({ weights: 3 * 2 ** 30, ...rest })).toEqual([
      "the model takes 9.3 GiB at a context of 64 tokens and WebAssembly has 4 GiB: " +
        "a context of at most 10 tokens fits",
    ]);
    expect(await reason({ weights: 5 * 2 ** 30 })).toEqual([
      expect.stringMatching(/takes 5\.0 GiB.*no context fits/),
    ]);
    const small = await checkDevice(both({ weights: 2 ** 31 }), WISHES, surroundings);
    expect(small.report.chosen).toBe("wasm");
  });
});

describe("an emulated adapter", () => {
  const emulated = here({ fallback: true }, { webassembly: ["simd128"] });

  test("is passed over for WebAssembly, and stays in reserve", async () => {
    const { report, order } = await checkDevice(both(), WISHES, emulated);
    expect(order).toEqual(["wasm", "f32"]);
    expect(report.chosen).toBe("wasm");
    expect(report.rungs[0]).toMatchObject({
      usable: true,
      reasons: [expect.stringMatching(/emulated in software: it is passed over/)],
    });
  });

  test.each([{ backend: "webgpu" as const }, { variant: "f32" }])(
    "is used when asked for by %j",
    async (wish) => {
      const { report } = await checkDevice(both(), { ...WISHES, ...wish }, emulated);
      expect(report.chosen).toBe("f32");
      expect(report.rungs[0]?.reasons).toEqual([expect.stringMatching(/works, but slowly/)]);
    },
  );

  test("is used where there is nothing else", async () => {
    const { report } = await checkDevice(manifest(), WISHES, emulated);
    expect(report.chosen).toBe("f32");
    expect(report.rungs[1]?.reasons).toEqual([expect.stringMatching(/works, but slowly/)]);
  });
});

describe("a variant that crashed", () => {
  const able = here({}, { webassembly: ["simd128"] });
  const crashed = { ...WISHES, crashed: ["f32"] };
  const REASON = "the last attempt to load on it ended in a crash";

  test("is skipped", async () => {
    const { report, order } = await checkDevice(both(), crashed, able);
    expect(order).toEqual(["wasm"]);
    expect(report.rungs[0]).toMatchObject({ usable: false, crashed: true, reasons: [REASON] });
    expect(report.rungs[2]).not.toHaveProperty("crashed");
  });

  test.each([{ backend: "webgpu" as const }, { variant: "f32" }])(
    "is used when asked for by %j",
    async (wish) => {
      const { report, order } = await checkDevice(both(), { ...crashed, ...wish }, able);
      expect(order).toEqual(["f32"]);
      expect(report.rungs[0]).toMatchObject({ usable: true, crashed: true, reasons: [REASON] });
    },
  );

  test("comes last among those of its backend", async () => {
    const surroundings = here({ features: ["shader-f16"] });
    const wishes = { ...WISHES, backend: "webgpu" as const, crashed: ["f16"] };
    expect((await checkDevice(manifest(), wishes, surroundings)).order).toEqual(["f32", "f16"]);
  });

  test("is used where there is nothing else", async () => {
    const { report } = await checkDevice(manifest(), crashed, able);
    expect(report.chosen).toBe("f32");
    expect(report.rungs[1]).toMatchObject({ usable: true, crashed: true });
  });
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

  test("with both backends, all rungs' reasons", async () => {
    const { report } = await checkDevice(both(), WISHES, here(null, { secureContext: false }));
    expect(report.rungs.map((rung) => rung.reasons)).toEqual(
      Array(3).fill([expect.stringMatching(/plain http.*storage.*hashing/)]),
    );
    const none = await checkDevice(both(), WISHES, here(null));
    const choose = () => requireChoice(none.report, WISHES);
    expect(choose).toThrow(/f32: .*adapter.*wasm-threads: .*isolated.*wasm: .*simd128/);
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
