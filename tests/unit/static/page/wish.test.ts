import { describe, expect, test } from "vitest";
import { modelAddress } from "../../../../static/src/page/model-select";
import type { Model } from "../../../../static/src/page/models";
import { parseQuery } from "../../../../static/src/page/query";
import { runOnHelp } from "../../../../static/src/page/run-on";
import {
  asked,
  decide,
  needsReload,
  type RunOn,
  toWay,
  type Way,
} from "../../../../static/src/page/wish";
import { info } from "./reports";

function wish(search: string, setting: RunOn = "auto", click: Way | null = null) {
  return decide(parseQuery(search), setting, click);
}

describe("who decides", () => {
  test("nobody: the engine chooses", () => {
    expect(wish("")).toEqual({ source: null, overruled: false });
  });

  test("the setting", () => {
    expect(wish("", "wasm")).toMatchObject({ backend: "wasm", source: "setting" });
  });

  test("the address, over the setting", () => {
    expect(wish("?variant=f32", "wasm")).toMatchObject({
      variant: "f32",
      source: "address",
      overruled: true,
    });
    expect(wish("?variant=f32", "wasm").backend).toBeUndefined();
    expect(wish("?backend=wasm", "wasm")).toMatchObject({ source: "address", overruled: false });
    expect(wish("?backend=wasm")).toMatchObject({ source: "address", overruled: false });
  });

  test("a button, over both", () => {
    const clicked = wish("?variant=f32", "webgpu", { backend: "wasm" });
    expect(toWay(clicked)).toEqual({ backend: "wasm" });
    expect(clicked.source).toBe("click");
    expect(wish("?variant=f32", "webgpu", {})).toEqual({ source: null, overruled: false });
  });

  test("the number of threads is the address's, and forces nothing", () => {
    expect(wish("?threads=2")).toEqual({ threads: 2, source: null, overruled: false });
    expect(toWay(wish("?threads=2", "wasm"))).toEqual({ backend: "wasm", threads: 2 });
    expect(toWay(wish("?threads=2", "auto", { variant: "f32" }))).toEqual({
      variant: "f32",
      threads: 2,
    });
  });
});

describe("a loaded model", () => {
  test.each<[RunOn, RunOn, string, boolean]>([
    ["auto", "auto", "f32", false],
    ["webgpu", "auto", "f32", false],
    ["wasm", "auto", "f32", true],
    ["wasm", "auto", "wasm", false],
    ["webgpu", "wasm", "wasm", true],
    ["auto", "wasm", "wasm", true],
  ])("set to %s, loaded as %s on %s: reload %s", (now, before, variant, reload) => {
    expect(needsReload(wish("", now), wish("", before), info(variant))).toBe(reload);
  });

  test("is loaded anew for another variant", () => {
    expect(needsReload(wish("?variant=f16"), wish(""), info("f32"))).toBe(true);
    expect(needsReload(wish("?variant=f32"), wish(""), info("f32"))).toBe(false);
  });
});

describe("beside the setting stands", () => {
  test("what it means without a model", () => {
    expect(runOnHelp({ wish: wish(""), loaded: null })).toContain("fastest way");
  });

  test("that the address wins", () => {
    const told = "This page's address asks for variant=f32, which goes before this setting.";
    expect(runOnHelp({ wish: wish("?variant=f32", "wasm"), loaded: null })).toBe(told);
    const loaded = { info: info("f32"), wish: wish("?variant=f32") };
    expect(runOnHelp({ wish: wish("?variant=f32", "wasm"), loaded })).toBe(told);
  });

  test("where the model runs, and that it can be moved", () => {
    const loaded = { info: info("wasm", { threads: 2 }), wish: wish("") };
    expect(runOnHelp({ wish: wish("", "wasm"), loaded })).toBe(
      "The model runs on the processor (WebAssembly, 2 threads).",
    );
    expect(runOnHelp({ wish: wish("", "webgpu"), loaded })).toBe(
      "The model still runs on the processor (WebAssembly, 2 threads). " +
        "Reloading it keeps the conversation.",
    );
  });
});

describe("a card of the library is about what its button starts", () => {
  const search = "?variant=f32&threads=2&context=512";
  const ask = (another: boolean, click: Way | null = null, setting: RunOn = "auto") =>
    asked(parseQuery(search), setting, click, another);

  test("the page's own model, as the page runs it", () => {
    expect(ask(false)).toEqual({ variant: "f32", threads: 2, context: 512 });
    expect(ask(false, { backend: "wasm" })).toEqual({ backend: "wasm", threads: 2, context: 512 });
  });

  test("another one, as the page that opens with it does", () => {
    expect(ask(true)).toEqual({ threads: 2 });
    expect(ask(true, { variant: "f16" })).toEqual({ threads: 2 });
    expect(ask(true, null, "webgpu")).toEqual({ backend: "webgpu", threads: 2 });
    const model = { name: "B", slug: "b", urls: ["b/"], integrity: "", bytes: 1, embeds: false };
    const opened = modelAddress(`https://a.example/${search}&model=a#chat=1`, model as Model, true);
    expect(opened.search).toBe("?threads=2&model=b&autoload=");
    expect(opened.hash).toBe("#chat=1");
    expect(asked(parseQuery(opened.search), "auto", null, false)).toEqual(ask(true));
  });
});
