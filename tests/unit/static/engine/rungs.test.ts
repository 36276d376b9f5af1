import { expect, test } from "vitest";
import type { LoadOutcome } from "../../../../static/src/device/crash";
import {
  type CapabilityReport,
  type ErrorCode,
  WebkilnError,
} from "../../../../static/src/engine/api";
import { type Footing, Ladder } from "../../../../static/src/engine/rungs";
import { FakeBackend } from "./fake";

const NAMES = ["f16", "f32", "wasm"];
const never = new AbortController().signal;

function fault(code: ErrorCode, message: string = code): WebkilnError {
  return new WebkilnError(code, message, `what to do about ${code}`);
}

function report(): CapabilityReport {
  return {
    secureContext: true,
    crossOriginIsolated: false,
    adapter: null,
    features: [],
    limits: {},
    webassembly: [],
    cores: 2,
    rungs: NAMES.map((variant) => ({
      variant,
      backend: variant === "wasm" ? "wasm" : "webgpu",
      usable: true,
      reasons: [],
      causes: [],
    })),
    chosen: "f16",
  };
}

/** A ladder on which opening a rung throws its entry in `faults`, if it has one. */
function ladder(faults: Record<string, unknown>, order = NAMES, asked = NAMES) {
  const log: string[] = [];
  const found = report();
  const open = async (variant: string): Promise<Footing> => {
    log.push(`open ${variant}`);
    if (variant in faults) throw faults[variant];
    return { variant, kind: "wasm", threads: 1, tuned: null, backend: new FakeBackend() };
  };
  const lookout = {
    loading: async (variant: string) => {
      await Promise.resolve();
      log.push(`mark ${variant}`);
    },
    loaded: (outcome: LoadOutcome) => void log.push(outcome),
  };
  const rungs = found.rungs.filter((rung) => asked.includes(rung.variant));
  return { ladder: new Ladder(found, rungs, [...order], open, lookout), report: found, log };
}

test("the first rung that holds is used; each attempt is marked before it begins", async () => {
  const {
    ladder: subject,
    report,
    log,
  } = ladder({
    f16: fault("wrong-answer", "it computes wrongly here"),
    f32: fault("device-lost", "the graphics device was lost"),
  });
  expect((await subject.climb(never)).variant).toBe("wasm");
  expect(log).toEqual([
    ...["mark f16", "open f16", "failed"],
    ...["mark f32", "open f32", "crashed"],
    ...["mark wasm", "open wasm", "works"],
  ]);
  expect(report.chosen).toBe("wasm");
  expect(report.rungs.map(({ usable, reasons }) => [usable, reasons])).toEqual([
    [false, ["it computes wrongly here"]],
    [false, ["the graphics device was lost"]],
    [true, []],
  ]);
});

test.each<ErrorCode>([
  "webgpu-unavailable",
  "no-adapter",
  "device-too-small",
  "device-lost",
  "gpu-validation",
  "kernel-fault",
  "wrong-answer",
])("%s is the rung's fault", async (code) => {
  const { ladder: subject } = ladder({ f16: fault(code) });
  expect((await subject.climb(never)).variant).toBe("f32");
});

test("what has no room on the graphics device has none there in another variant", async () => {
  const { ladder: subject, report } = ladder({ f16: fault("out-of-memory", "no memory left") });
  expect((await subject.climb(never)).variant).toBe("wasm");
  expect(report.rungs.map(({ usable, reasons }) => [usable, reasons])).toEqual([
    [false, ["no memory left"]],
    [false, ["no memory left"]],
    [true, []],
  ]);
});

test("a device is left with all its variants, WebAssembly with one", () => {
  const { ladder: subject, report } = ladder({});
  subject.leaveDevice(fault("device-lost"));
  expect(report.chosen).toBe("wasm");
  const other = ladder({}, ["wasm", "f16", "f32"]);
  other.ladder.leaveDevice(fault("out-of-memory"));
  expect(other.report.chosen).toBe("f16");
});

test.each<ErrorCode>(["network", "integrity", "bad-bundle", "unsupported-format", "storage"])(
  "%s is no rung's fault and thrown at once",
  async (code) => {
    const { ladder: subject, report, log } = ladder({ f16: fault(code) });
    await expect(subject.climb(never)).rejects.toMatchObject({ code });
    expect(log).toEqual(["mark f16", "open f16", "failed"]);
    expect(report.rungs[0]).toMatchObject({ usable: true, reasons: [] });
  },
);

test("an abort ends the climb, whatever the rung says", async () => {
  const controller = new AbortController();
  controller.abort();
  const { ladder: subject, log } = ladder({ f16: fault("device-lost") });
  await expect(subject.climb(controller.signal)).rejects.toMatchObject({ code: "aborted" });
  expect(log).not.toContain("open f32");
});

test("foreign errors speak against the rung too", async () => {
  const { ladder: subject, report } = ladder({
    f16: new WebAssembly.RuntimeError("unreachable"),
    f32: new TypeError("odd"),
  });
  expect((await subject.climb(never)).variant).toBe("wasm");
  expect(report.rungs.flatMap((rung) => rung.reasons)).toEqual([
    expect.stringMatching(/kernel stopped: unreachable/),
    expect.stringMatching(/TypeError: odd/),
  ]);
});

test("when none is left, one error has every rung's reason", async () => {
  const { ladder: subject, report } = ladder(
    { f32: fault("gpu-validation", "refused"), wasm: fault("out-of-memory", "no memory left") },
    ["f32", "wasm"],
  );
  const [f16] = report.rungs;
  f16?.reasons.push("no shader-f16");
  await expect(subject.climb(never)).rejects.toMatchObject({
    code: "out-of-memory",
    message: expect.stringMatching(/f16: no shader-f16. f32: refused. wasm: no memory left/),
    hint: "what to do about out-of-memory",
  });
  expect(report.chosen).toBeNull();
});

test("a forced variant is not replaced: its own error is thrown", async () => {
  const { ladder: subject, log } = ladder({ f32: fault("wrong-answer") }, ["f32"], ["f32"]);
  await expect(subject.climb(never)).rejects.toEqual(fault("wrong-answer"));
  expect(log).toEqual(["mark f32", "open f32", "failed"]);
});

test("a dropped rung is not tried again, the next is", async () => {
  const { ladder: subject, report } = ladder({});
  expect((await subject.climb(never)).variant).toBe("f16");
  expect((await subject.climb(never)).variant).toBe("f16");
  subject.drop(fault("device-lost", "lost twice"));
  expect((await subject.climb(never)).variant).toBe("f32");
  expect(report.rungs[0]).toMatchObject({ usable: false, reasons: ["lost twice"] });
  expect(report.chosen).toBe("f32");
});
