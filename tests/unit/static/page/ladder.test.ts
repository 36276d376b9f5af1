import { describe, expect, test } from "vitest";
import { toJson } from "../../../../static/src/page/copy-report";
import type {
  CapabilityReport,
  Cause,
  EngineInfo,
  ErrorCode,
} from "../../../../static/src/page/engine";
import {
  change,
  explain,
  type Line,
  placeLabel,
  stepDown,
} from "../../../../static/src/page/ladder";
import { noted, plain } from "../../../../static/src/page/plain";
import { parseQuery } from "../../../../static/src/page/query";
import { rungName } from "../../../../static/src/page/rung-name";
import { processorMayDo, type Standing } from "../../../../static/src/page/trouble";
import { startsAtOnce, verdict } from "../../../../static/src/page/verdict";
import { decide } from "../../../../static/src/page/wish";
import { words } from "../../../../static/src/page/words";
import { info, report, rung } from "./reports";

const { place } = words.ladder;

const FREE = decide(parseQuery(""), "auto", null);
const NO_GPU = "this browser does not offer WebGPU, or it is switched off";
const texts = (lines: Line[]) => lines.map(({ text }) => text);

/** Neither f16 nor f32, for these reasons. */
function withoutGraphics(reason: string, parts: Partial<CapabilityReport> = {}): CapabilityReport {
  const refused = { usable: false, reasons: [reason] };
  const rungs = [rung("f16", refused), rung("f32", refused), rung("wasm-threads"), rung("wasm")];
  return report({ adapter: null, rungs, chosen: "wasm-threads", ...parts });
}

test("a place has a name for people, and the number of threads once it is known", () => {
  expect(place("webgpu", 1)).toBe("on the graphics card (WebGPU)");
  expect(place("wasm")).toBe("on the processor (WebAssembly)");
  expect(place("wasm", 1)).toBe("on the processor (WebAssembly, 1 thread)");
  expect(place("wasm", 2)).toBe("on the processor (WebAssembly, 2 threads)");
  expect(placeLabel("webgpu")).toEqual(["Graphics card", "WebGPU"]);
  expect(placeLabel("wasm")).toEqual(["Processor", "WebAssembly"]);
  expect(rungName("f32", "webgpu")).toBe("f32 · WebGPU");
  expect(rungName("wasm", "wasm")).toBe("wasm · WebAssembly");
});

describe("why not a better rung", () => {
  test("the best one needs no words", () => {
    expect(explain(report(), "f16", FREE)).toEqual([]);
  });

  test("a missing feature is one line, in plain words", () => {
    const reasons = ["the graphics adapter lacks the feature shader-f16"];
    const causes: Cause[] = [{ code: "card-lacks", feature: "shader-f16" }];
    const rungs = [
      rung("f16-subgroups", { usable: false, reasons, causes }),
      rung("f16", { usable: false, reasons, causes }),
      rung("f32"),
    ];
    expect(texts(explain(report({ rungs, chosen: "f32" }), "f32", FREE))).toEqual([
      "A faster way (f16-subgroups, f16) is left out. " +
        "The graphics card lacks numbers of half precision.",
    ]);
  });

  test("a graphics card that cannot do anything is one line", () => {
    expect(texts(explain(withoutGraphics(NO_GPU), "wasm-threads", FREE))).toEqual([
      `The graphics card is not used. T${NO_GPU.slice(1)}.`,
    ]);
  });

  test("limits are told without their names, and once", () => {
    const limits = ["maxBufferSize", "maxStorageBuffersPerShaderStage"];
    const reasons = limits.map((limit) => `the model needs ${limit} of 10; this device offers 8`);
    const causes = limits.map(
      (limit): Cause => ({ code: "card-too-small", limit, needed: 10, offered: 8 }),
    );
    const rungs = [rung("f32", { usable: false, reasons, causes }), rung("wasm")];
    expect(texts(explain(report({ rungs, chosen: "wasm" }), "wasm", FREE))).toEqual([
      "The graphics card is not used. The graphics card is too small for this model.",
    ]);
  });

  test("a crash is told with a way to try again", () => {
    const reasons = ["the last attempt crashed"];
    const rungs = [rung("f32", { usable: false, reasons, crashed: true }), rung("wasm")];
    expect(explain(report({ rungs, chosen: "wasm" }), "wasm", FREE)).toEqual([
      {
        text: "The graphics card is not used. The last attempt crashed.",
        offer: { label: "Try it again", testid: "try-again", way: { variant: "f32" } },
      },
    ]);
  });

  test("what is slow may be used all the same; what is refused may not", () => {
    const adapter = { vendor: "", architecture: "", description: "", fallback: true };
    const slow = { reasons: ["emulated in software"] };
    const no = { usable: false, reasons: ["no"] };
    const rungs = [rung("f16", no), rung("f32", slow), rung("wasm")];
    const [line] = explain(report({ adapter, rungs, chosen: "wasm" }), "wasm", FREE);
    expect(line?.text).toBe("The graphics card is not used. Emulated in software.");
    expect(line?.offer).toMatchObject({ label: "Use it all the same", way: { variant: "f32" } });
    expect(explain(withoutGraphics(NO_GPU), "wasm-threads", FREE)[0]?.offer).toBeUndefined();
  });

  test("one thread is told once, with what the site's owner can do", () => {
    const reasons = ["threads need a page that is cross-origin isolated"];
    const causes: Cause[] = [{ code: "not-isolated" }];
    const threaded = rung("wasm-threads", { usable: false, reasons, causes });
    const rungs = [rung("f32"), threaded, rung("wasm")];
    const alone = report({ crossOriginIsolated: false, rungs, chosen: "wasm" });
    const lines = texts(explain(alone, "wasm", decide(parseQuery(""), "wasm", null)));
    expect(lines).toEqual([
      "Your setting “Run on” asks for it.",
      expect.stringMatching(
        /^It has one thread only, .* Cross-Origin-Embedder-Policy: require-corp\.$/,
      ),
    ]);
  });

  test("whoever forced it is named, and what was not asked for needs no reason", () => {
    const forced = decide(parseQuery("?variant=wasm"), "webgpu", null);
    expect(texts(explain(withoutGraphics(NO_GPU), "wasm", forced))).toEqual([
      "This page's address asks for it (variant=wasm), which goes before your setting “Run on”.",
    ]);
    const clicked = decide(parseQuery(""), "webgpu", { backend: "wasm" });
    expect(texts(explain(withoutGraphics(NO_GPU), "wasm-threads", clicked))).toEqual([
      "You asked for it here.",
    ]);
  });
});

describe("a reason in plain words", () => {
  test.each<[Cause, RegExp]>([
    [{ code: "fault", error: "wrong-answer" }, /wrong answers/],
    [{ code: "fault", error: "out-of-memory" }, /ran out of memory/],
    [{ code: "fault", error: "internal" }, /failed when it was tried/],
    [{ code: "wasm-lacks", feature: "simd128" }, /lacks vectors \(simd128\)/],
    [{ code: "wasm-lacks", feature: "future" }, /lacks future/],
    [{ code: "wasm-memory", needed: 5e9, available: 2 ** 32, fits: 0 }, /5\.0 GB .* no context/],
    [{ code: "scarce-memory", needed: 5e9 }, /about 5\.0 GB/],
  ])("%j", (cause, told) => {
    const [text] = plain(rung("f32", { reasons: ["names"], causes: [cause] }));
    expect(text).toMatch(told);
  });

  test("is the engine's own where the page knows none", () => {
    expect(plain(rung("f32", { reasons: ["something new"] }))).toEqual(["something new"]);
  });
});

describe("the verdict", () => {
  test("names the rung and its caveats", () => {
    const rungs = [rung("f32", { reasons: ["slow"] })];
    expect(verdict(report({ rungs, chosen: "f32" }), FREE)).toEqual({
      usable: true,
      title: "Runs on the graphics card (WebGPU)",
      lines: [{ text: "slow" }],
      hint: "",
    });
  });

  test.each<[Partial<CapabilityReport>, string, RegExp]>([
    [{ secureContext: false, adapter: null }, "This page needs a secure address", /https/],
    [{ adapter: null }, "WebGPU is not available here", /hardware acceleration/],
    [{}, "This device cannot run the model", /smaller model/],
  ])("a refusal %#", (change, title, hint) => {
    const rungs = [rung("f16"), rung("f32")].map((each) => ({
      ...each,
      usable: false,
      reasons: ["why"],
    }));
    const refused = verdict(report({ ...change, rungs, chosen: null }), FREE);
    expect(refused).toMatchObject({ usable: false, title, lines: [{ text: "why" }] });
    expect(refused.hint).toMatch(hint);
  });

  test("where the processor fails too, WebGPU is not the remedy", () => {
    const rungs = [rung("f32"), rung("wasm")].map((each) => ({ ...each, usable: false }));
    const { title } = verdict(report({ adapter: null, rungs, chosen: null }), FREE);
    expect(title).toBe("This device cannot run the model");
  });

  test.each([
    ["?backend=webgpu", "It cannot run on the graphics card (WebGPU) here"],
    ["?variant=f32", "It cannot run as f32 here"],
    ["?variant=f64", "This model has no variant f64"],
  ])("%s that cannot be had offers the ladder instead", (search, title) => {
    const refused = { ...withoutGraphics(NO_GPU), chosen: null };
    const found = verdict(refused, decide(parseQuery(search), "auto", null));
    expect(found).toMatchObject({ usable: false, title });
    expect(found.lines.at(-1)?.offer).toMatchObject({ testid: "choose-automatically", way: {} });
  });
});

test("what is forced in vain, with nothing else to take, comes with a remedy", () => {
  const refused = { usable: false, reasons: [NO_GPU] };
  const none = report({ adapter: null, rungs: [rung("f32", refused)], chosen: null });
  const found = verdict(none, decide(parseQuery("?variant=f32"), "auto", null));
  expect(found.title).toBe("It cannot run as f32 here");
  expect(found.hint).toContain("hardware acceleration");
  expect(found.lines.some(({ offer }) => offer)).toBe(false);
});

describe("loading without a click", () => {
  const crashed = report({ rungs: [rung("f32", { crashed: true })], chosen: "f32" });
  const clicked = decide(parseQuery(""), "auto", { variant: "f32" });

  test("happens when wanted, or when a button asked for this very rung", () => {
    expect(startsAtOnce(report(), FREE, true)).toBe(true);
    expect(startsAtOnce(report(), FREE, false)).toBe(false);
    expect(startsAtOnce(report(), clicked, false)).toBe(true);
    expect(startsAtOnce(report({ chosen: null }), FREE, true)).toBe(false);
  });

  test("never restarts what crashed", () => {
    expect(startsAtOnce(crashed, FREE, true)).toBe(false);
    expect(startsAtOnce(crashed, clicked, false)).toBe(true);
  });
});

describe("news", () => {
  const HERE = "The conversation is all here.";

  test("the same rung, once more", () => {
    const after = info("f32", { notes: ["the device was lost"] });
    expect(change(info("f32"), after)).toEqual({
      title: "The model was started again on the graphics card (WebGPU)",
      lines: ["the device was lost", HERE],
    });
  });

  test("a step down: the new note, or what was learned about the rung before", () => {
    const before = info("f32", { notes: ["old"] });
    const reasons = ["the graphics device was lost: destroyed"];
    const causes: Cause[] = [{ code: "fault", error: "device-lost" }];
    const rungs = [rung("f32", { usable: false, reasons, causes }), rung("wasm")];
    const after = info("wasm", { threads: 2, notes: ["old"], report: report({ rungs }) });
    expect(change(before, after)).toEqual({
      title: "The model now runs on the processor (WebAssembly, 2 threads)",
      lines: ["the graphics card stopped in the middle of its work", HERE],
    });
    const noted = { ...after, notes: ["old", "the device was lost"] };
    expect(change(before, noted).lines).toEqual(["the device was lost", HERE]);
  });

  test("loading that ends on another rung than the check had promised", () => {
    const rungs = [rung("f16", { usable: false, reasons: ["wrong answer"] }), rung("f32")];
    const loaded = info("f32", { report: report({ rungs, chosen: "f32" }) });
    expect(stepDown(report(), loaded)).toEqual({
      title: "The model runs on the graphics card (WebGPU)",
      lines: ["wrong answer"],
    });
    expect(stepDown(report({ chosen: "f32" }), loaded)).toBeNull();
  });
});

test("notes are told in the page's words, where there are any", () => {
  const remarks: EngineInfo["remarks"] = [
    { note: "a", code: "tuned-refused", vendor: "acme" },
    {
      note: "b",
      code: "recovered",
      error: "device-lost",
      moved: false,
      variant: "f32",
      backend: "webgpu",
    },
    {
      note: "c",
      code: "recovered",
      error: "internal",
      moved: true,
      variant: "wasm",
      backend: "wasm",
    },
  ];
  expect(noted("a", { remarks })).toContain("Kernels tuned for acme");
  const lost = "The graphics device was lost; the answer went on after reloading.";
  expect(noted("b", { remarks })).toBe(lost);
  expect(noted("c", { remarks })).toMatch(/the answer went on as wasm · WebAssembly\.$/);
  expect(noted("the manifest's", { remarks })).toBeNull();
});

describe("the processor instead", () => {
  const trouble = (code: ErrorCode) => ({ code, message: "", hint: "", values: {} });
  const forced = decide(parseQuery("?backend=webgpu"), "auto", null);
  const standing: Standing = { backend: "webgpu", report: report(), wish: forced };

  test("is offered when nobody has tried it", () => {
    expect(processorMayDo(trouble("device-lost"), standing)).toBe(true);
    expect(processorMayDo(trouble("worker-lost"), { ...standing, wish: FREE })).toBe(true);
  });

  test("is not offered when the engine has tried it, or it cannot run, or was in use", () => {
    expect(processorMayDo(trouble("device-lost"), { ...standing, wish: FREE })).toBe(false);
    const only = report({ rungs: [rung("f32")], chosen: "f32" });
    expect(processorMayDo(trouble("worker-lost"), { ...standing, report: only })).toBe(false);
    expect(processorMayDo(trouble("worker-lost"), { ...standing, backend: "wasm" })).toBe(false);
  });

  test("is no help against what is nobody's fault", () => {
    expect(processorMayDo(trouble("network"), standing)).toBe(false);
  });
});

test("what is copied holds the report, the wish and the engine", () => {
  const wish = decide(parseQuery("?backend=wasm&threads=2"), "auto", null);
  const loaded = info("wasm", { threads: 2, notes: ["note"] });
  const copied: unknown = JSON.parse(
    toJson({ model: "tiny", wish, report: loaded.report, info: loaded }, "Browser 1"),
  );
  expect(copied).toEqual({
    page: { format: expect.any(Number), userAgent: "Browser 1" },
    model: "tiny",
    asked: { backend: "wasm", threads: 2, source: "address" },
    engine: { variant: "wasm", backend: "wasm", threads: 2, context: 512, notes: ["note"] },
    report: loaded.report,
  });
  const before = toJson({ model: "tiny", wish, report: loaded.report }, "Browser 1");
  expect(JSON.parse(before)).toMatchObject({ engine: null });
});
