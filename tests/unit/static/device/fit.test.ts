import { expect, test } from "vitest";
import { type FitFacts, judgeFit, READING, suggestModel } from "../../../../static/src/device/fit";
import type { CapabilityReport, Cause, Rung } from "../../../../static/src/engine/api";
import type { About, Assessment, Fit } from "../../../../static/src/engine/assessment";

const GIB = 2 ** 30;

function rung(variant: string, causes: Cause[] = [], usable = true): Rung {
  const backend = variant.startsWith("wasm") ? "wasm" : "webgpu";
  return { variant, backend, usable, reasons: causes.map(() => ""), causes };
}

function report(rungs: Rung[], fallback = false): CapabilityReport {
  return {
    secureContext: true,
    crossOriginIsolated: true,
    adapter: { vendor: "acme", architecture: "", description: "", fallback },
    features: [],
    limits: {},
    webassembly: [],
    cores: 4,
    rungs,
    chosen: rungs.find(({ usable }) => usable)?.variant ?? null,
  };
}

/** A device that has plenty of everything, and a model of 100 MB. */
function facts(changes: Partial<FitFacts> = {}): FitFacts {
  return {
    report: report([rung("f32")]),
    needed: 1e8,
    deviceMemory: 8,
    missing: 1e8,
    free: 1e10,
    speed: { tokensPerSecond: 50, measured: false },
    ran: false,
    ranOut: null,
    context: 4096,
    ...changes,
  };
}

const WASM = report([rung("wasm")]);

test("nothing speaks against a small model on a fast device", () => {
  expect(judgeFit(facts())).toEqual({ fit: "well", causes: [] });
});

test("what no rung can run is refused with every rung's causes, each once", () => {
  const limit: Cause = { code: "card-too-small", limit: "maxBufferSize", needed: 9, offered: 1 };
  const lacks: Cause = { code: "card-lacks", feature: "shader-f16" };
  const refused = [rung("f16", [lacks, limit], false), rung("f32", [limit], false)];
  const { fit, causes } = judgeFit(facts({ report: report(refused), ranOut: 1 }));
  expect(fit).toBe("no");
  expect(causes).toEqual([lacks, limit]);
});

test.each<[string, Partial<FitFacts>, Fit, string[]]>([
  [
    "the device says little: little is needed",
    { deviceMemory: undefined, needed: GIB },
    "well",
    [],
  ],
  [
    "the device says nothing",
    { deviceMemory: undefined, needed: GIB + 1 },
    "unknown",
    ["memory-unknown"],
  ],
  [
    "a small device",
    { deviceMemory: 2, needed: 1.6 * GIB, report: WASM },
    "tight",
    ["scarce-memory"],
  ],
  ["the same with room", { deviceMemory: 2, needed: 1.4 * GIB, report: WASM }, "well", []],
  // A card may have less than the device, or memory of its own.
  ["on a card", { deviceMemory: 2, needed: 1.4 * GIB }, "unknown", ["memory-unknown"]],
  ["on a card, a quarter", { deviceMemory: 8, needed: 2 * GIB }, "well", []],
  [
    "a card in software has the device's memory",
    { deviceMemory: 4, needed: 2 * GIB, report: report([rung("f32")], true) },
    "well",
    [],
  ],
  // Browsers that say 8 mean 8 or more.
  [
    "beyond what browsers tell",
    { deviceMemory: 8, needed: 7 * GIB },
    "unknown",
    ["memory-unknown"],
  ],
  ["it ran here before", { deviceMemory: 8, needed: 7 * GIB, ran: true }, "well", []],
  ["it ran out before", { ranOut: 4096, ran: true }, "tight", ["ran-out"]],
  ["it ran out at a larger context", { ranOut: 8192 }, "well", []],
  ["no room to keep it", { missing: 11, free: 10 }, "tight", ["disk"]],
  ["the browser does not say how much room", { missing: 1e12, free: null }, "well", []],
  ["slower than reading", { speed: { tokensPerSecond: 4.9, measured: true } }, "tight", ["slow"]],
  ["as fast as reading", { speed: { tokensPerSecond: READING, measured: true } }, "well", []],
  ["a speed that nobody knows", { speed: null }, "well", []],
])("memory, disk and speed: %s", (_, changes, fit, codes) => {
  const found = judgeFit(facts(changes));
  expect([found.fit, found.causes.map(({ code }) => code)]).toEqual([fit, codes]);
});

test("what is known to be bad outweighs what is not known", () => {
  const { fit } = judgeFit(
    facts({ deviceMemory: undefined, needed: 9 * GIB, missing: 2, free: 1 }),
  );
  expect(fit).toBe("tight");
});

test("a crash speaks against it; an emulated card that is passed over does not", () => {
  const crashed = judgeFit(facts({ report: report([rung("f32", [{ code: "crashed" }])]) }));
  expect(crashed).toEqual({ fit: "tight", causes: [{ code: "crashed" }] });
  const emulated = report([rung("f32", [{ code: "emulated" }])], true);
  expect(judgeFit(facts({ report: emulated })).fit).toBe("tight");
  const passed = report([rung("f32", [{ code: "emulated-passed-over" }]), rung("wasm")], true);
  passed.chosen = "wasm";
  expect(judgeFit(facts({ report: passed }))).toEqual({ fit: "well", causes: [] });
});

test("the scarce memory of the capability check is judged anew, with what is known since", () => {
  const scarce = report([rung("wasm", [{ code: "scarce-memory", needed: 7 * GIB }])]);
  expect(judgeFit(facts({ report: scarce, needed: 7 * GIB, ran: true })).causes).toEqual([]);
});

function model(name: string, fit: Fit, parameters: number, embeds = false) {
  const about = { parameters, embedding: embeds ? {} : null } as About;
  return { model: name, fit, about } satisfies Pick<Assessment, "model" | "fit" | "about">;
}

test("of the models that fit best the largest is suggested, with the reason", () => {
  const [small, large, tight] = [
    model("small", "well", 1),
    model("large", "well", 2),
    model("tight", "tight", 9),
  ];
  expect(suggestModel([small, large, tight])).toEqual({ model: "large", reason: "largest" });
  expect(suggestModel([tight, small])).toEqual({ model: "small", reason: "best-fit" });
  expect(suggestModel([model("maybe", "unknown", 5), tight])?.model).toBe("tight");
});

test("what does not run, does not chat or is not known is never suggested", () => {
  const no = model("no", "no", 9);
  const embeds = model("embeds", "well", 9, true);
  const unread = { model: "unread", fit: "unknown" as const, about: null };
  expect(suggestModel([no, embeds, unread])).toBeNull();
  const only = { model: "a", reason: "only" };
  expect(suggestModel([no, embeds, unread, model("a", "unknown", 1)])).toEqual(only);
});
