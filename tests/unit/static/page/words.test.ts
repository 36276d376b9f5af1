import { describe, expect, test } from "vitest";
import type { Progress } from "../../../../static/src/page/engine";
import { asTrouble } from "../../../../static/src/page/engine";
import { summary } from "../../../../static/src/page/messages";
import { chooseModel, type Model } from "../../../../static/src/page/models";
import { sentence } from "../../../../static/src/page/notice";
import { progressShare, progressText } from "../../../../static/src/page/start";
import { isOutdated, remedyFor } from "../../../../static/src/page/trouble";
import { choose, words } from "../../../../static/src/page/words";

const { bytes, duration } = words.figures;

describe("figures", () => {
  test.each([
    [999, "999 bytes"],
    [1000, "1.0 kB"],
    [94_371_840, "94.4 MB"],
    [2e9, "2.0 GB"],
  ])("%d bytes", (count, text) => expect(bytes(count)).toBe(text));

  test.each([
    [0.1, "1 sec"],
    [59.4, "59 sec"],
    [125, "2 min 5 sec"],
    [3840, "1 hr 4 min"],
  ])("%d seconds", (seconds, text) => expect(duration(seconds)).toBe(text));

  test("speed has the digits that mean something", () => {
    const { speed } = words.chat;
    expect(speed(1.84)).toBe("1.8 tok/s");
    expect(speed(42.3)).toBe("42 tok/s");
  });

  test("an answer's figures count its intervals, and one token has no speed", () => {
    const stats = { promptTokens: 120, cachedTokens: 64, prefillSeconds: 0.8 };
    expect(summary({ ...stats, completionTokens: 21, decodeSeconds: 4 })).toBe(
      "21 tokens · 5.0 tok/s · prompt 120 (64 reused) in 0.8 sec",
    );
    expect(summary({ ...stats, completionTokens: 1, decodeSeconds: 0 })).toBe(
      "1 token · prompt 120 (64 reused) in 0.8 sec",
    );
  });

  test("one is singular", () => {
    const { tokens } = words.device;
    expect([tokens(1), tokens(4096)]).toEqual(["1 token", "4,096 tokens"]);
  });
});

describe("progress", () => {
  const progress: Progress = {
    phase: "download",
    loaded: 50e6,
    total: 100e6,
    cached: 10e6,
    kept: 10e6,
    rate: 20e6,
    secondsLeft: 2.5,
    pipelines: 5,
    pipelinesTotal: 10,
  };

  test("names bytes, rate, time left and kernels", () => {
    expect(progressText(progress)).toBe(
      "50.0 MB of 100.0 MB · 10.0 MB from this browser · 20.0 MB/s · 3 sec left · kernels 5 of 10",
    );
  });

  test("has neither rate nor time once everything is here", () => {
    const done = { ...progress, loaded: 100e6, cached: 0 };
    expect(progressText(done)).toBe("100.0 MB of 100.0 MB · kernels 5 of 10");
  });

  test("names no bytes before it is known how many there are", () => {
    const early: Progress = { ...progress, total: 0 };
    expect(progressText(early)).toBe(progressText({ ...early, phase: "manifest" }));
  });

  test.each([0, 1])("WebAssembly has no kernels to count (%d)", (pipelinesTotal) => {
    const wasm = { ...progress, loaded: 100e6, cached: 0, pipelines: 0, pipelinesTotal };
    expect(progressText(wasm)).toBe("100.0 MB of 100.0 MB");
    expect(progressText({ ...wasm, phase: "compile" })).toBe(
      "100.0 MB of 100.0 MB · making it ready",
    );
  });

  test("grows with bytes and with kernels", () => {
    expect(progressShare(progress)).toBeCloseTo(0.5);
    expect(progressShare({ ...progress, loaded: 100e6, pipelines: 10 })).toBeCloseTo(1);
    expect(progressShare({ ...progress, phase: "manifest", total: 0 })).toBeNull();
    expect(progressShare({ ...progress, phase: "ready", total: 0 })).toBe(1);
  });
});

describe("errors", () => {
  test("the engine's own keep code and hint", () => {
    const error = Object.assign(new Error("lost"), { code: "device-lost", hint: "Reload." });
    const lost = { code: "device-lost", message: "lost", hint: "Reload.", values: {} };
    expect(asTrouble(error)).toEqual(lost);
    expect(remedyFor(asTrouble(error))).toBe("reload");
  });

  test("anything else is internal, and a code from the future too", () => {
    expect(asTrouble("boom")).toMatchObject({ code: "internal", message: "boom" });
    const future = { code: "new-code" as "internal", message: "", hint: "", values: {} };
    expect(remedyFor(future)).toBe("reload");
  });

  test("messages become sentences", () => {
    expect(sentence("the device was lost")).toBe("The device was lost.");
    expect(sentence("Why?")).toBe("Why?");
    expect(sentence("stopped")).toBe("Stopped.");
    expect(sentence("l’appareil a été perdu")).toBe("L’appareil a été perdu.");
    expect(sentence("weights/9e63.bin arrived twice")).toBe("weights/9e63.bin arrived twice.");
    expect(sentence("f32: no room")).toBe("f32: no room.");
  });
});

describe("the language", () => {
  test.each([
    [["en-GB", "fr"], "en"],
    [["fr-CH", "en"], "fr"],
    [["de", "IT"], "it"],
    [["xx", "en-US"], "en"],
    [["constructor"], "en"],
    [[], "en"],
  ])("%j: %s", (wishes, code) => expect(choose(wishes)).toBe(code));
});

describe("the model asked for", () => {
  const model = (name: string, folder: string): Model => ({
    name,
    slug: folder,
    urls: [`models/${encodeURIComponent(folder)}/`],
    integrity: "",
    embeds: false,
    bytes: 1,
  });
  const models = [model("SmolLM2", "smol a"), model("Other", "SmolLM2")];

  test("is the first by default", () => {
    expect(chooseModel(models, undefined)).toBe(models[0]);
    expect(chooseModel([], undefined)).toBeUndefined();
  });

  test("goes by folder before name", () => {
    expect(chooseModel(models, "smol a")).toBe(models[0]);
    expect(chooseModel(models, "SmolLM2")).toBe(models[1]);
    expect(chooseModel(models, "Other")).toBe(models[1]);
    expect(chooseModel(models, "none")).toBeUndefined();
  });
});

test("a newer page may help where a manifest is not what this one was made for", () => {
  const fault = (code: "integrity" | "unsupported-format" | "network", file: string) =>
    isOutdated({ code, message: "", hint: "", values: { file } });
  expect(fault("integrity", "manifest.json")).toBe(true);
  expect(fault("unsupported-format", "manifest.json")).toBe(true);
  expect(fault("integrity", "weights/9e63.bin")).toBe(false);
  expect(fault("network", "manifest.json")).toBe(false);
});
