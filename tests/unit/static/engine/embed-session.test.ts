/** Texts to tokens to vectors, on a backend whose vectors say what it was asked. */

import { describe, expect, test } from "vitest";
import type { Backend, StateData } from "../../../../static/src/backends/backend";
import { type CapabilityReport, WebkilnError } from "../../../../static/src/engine/api";
import { EmbedSession } from "../../../../static/src/engine/embed-session";
import { resolveEmbed } from "../../../../static/src/engine/requests";
import { type Footing, Ladder } from "../../../../static/src/engine/rungs";
import type { TextCodec } from "../../../../static/src/engine/tokenizer";
import { Control, type Embedding } from "../../../../static/src/plan";
import { EMBEDDING, manifest } from "../bundle";

const never = new AbortController().signal;
/** Token ids are the letters' codes. */
const codec = {
  encode: (text: string) => [...text].map((letter) => letter.charCodeAt(0)),
} as unknown as TextCodec;

/** What the backend was asked, in order: function, rows, tokens. */
type Run = { name: string; rows: number; count: number; ids: number[] };

function backend(runs: Run[], fails = 0): Backend {
  let tokens: number[] = [];
  let control: StateData = new Int32Array(64);
  let left = fails;
  return {
    context: 12,
    texts: [
      { name: "embed_6", rows: 6 },
      { name: "embed_12", rows: 12 },
    ],
    write: (state: string, _: number, data: StateData) => {
      if (state === "tokens") tokens = [...data];
      else control = data;
    },
    run: (name: string, rows: number) => {
      const count = control[Control.COUNT] ?? 0;
      runs.push({ name, rows, count, ids: tokens.slice(0, control[Control.TEXT]) });
    },
    read: async () => {
      const { ids } = runs.at(-1) as Run;
      if (left-- > 0) throw new WebkilnError("device-lost", "lost", "do something");
      return Float32Array.of(ids.length, ...ids.slice(0, 3), 99);
    },
    dispose: () => {},
  } as unknown as Backend;
}

async function session(runs: Run[], changes: Partial<Embedding> = {}, fails = 0) {
  const rung = {
    variant: "f32",
    backend: "webgpu" as const,
    usable: true,
    reasons: [],
    causes: [],
  };
  const report = { rungs: [rung], chosen: "f32" } as unknown as CapabilityReport;
  const lookout = { loading: async () => {}, loaded: () => {} };
  let failures = fails;
  const open = async (variant: string): Promise<Footing> => {
    const own = backend(runs, failures);
    failures = 0;
    return { variant, kind: "webgpu", threads: 1, tuned: null, backend: own };
  };
  const ladder = new Ladder(report, [rung], ["f32"], open, lookout);
  const embedding = { ...EMBEDDING, ...changes };
  const loaded = {
    manifest: { ...manifest(), embedding },
    context: 12,
    notes: [],
    remarks: [],
    codec,
    ladder,
    footing: await ladder.climb(never),
    change: () => {},
  };
  return new EmbedSession(loaded, embedding);
}

const codes = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0));
const ask = (texts: string[], prompt: string | null = null) => ({ texts, prompt });

describe("embed", () => {
  test("puts special tokens around texts and takes the smallest function", async () => {
    const runs: Run[] = [];
    const result = await (await session(runs)).embed(ask([" ab ", "", "abcdefgh"]), never);
    expect(runs).toEqual([
      { name: "embed_6", rows: 4, count: 4, ids: [1, ...codes("ab"), 2] },
      { name: "embed_6", rows: 2, count: 2, ids: [1, 2] },
      { name: "embed_12", rows: 10, count: 10, ids: [1, ...codes("abcdefgh"), 2] },
    ]);
    expect(result.vectors[0]).toEqual(Float32Array.of(4, 1, 97, 98));
    expect(result.tokens).toEqual([4, 2, 10]);
    expect(result.truncated).toEqual([false, false, false]);
  });

  test("cuts what is too long, and says so", async () => {
    const runs: Run[] = [];
    const result = await (await session(runs)).embed(ask(["abcdefghijk", "abcdefghij"]), never);
    expect(runs[0]?.ids).toEqual([1, ...codes("abcdefghij"), 2]);
    expect(result.truncated).toEqual([true, false]);
  });

  test("computes all rows where the model needs that", async () => {
    const runs: Run[] = [];
    await (await session(runs, { padded: true })).embed(ask(["a"]), never);
    expect(runs[0]).toMatchObject({ name: "embed_6", rows: 6, count: 6, ids: [1, 97, 2] });
  });

  test("puts prompts in front, the model's own by default", async () => {
    const runs: Run[] = [];
    const embedder = await session(runs, { default_prompt: "query", lowercase: true });
    await embedder.embed(ask(["A"]), never);
    await embedder.embed(ask(["A"], "document"), never);
    await embedder.embed(ask(["A"], ""), never);
    const texts = runs.map(({ ids }) => ids.slice(1, -1));
    expect(texts).toEqual([codes("q: a"), codes("a"), codes("a")]);
    await expect(embedder.embed(ask(["A"], "quest"), never)).rejects.toThrow(
      'prompt is "quest"; it must be one of "query", "document"',
    );
  });

  test("starts again after a lost device", async () => {
    const runs: Run[] = [];
    const embedder = await session(runs, {}, 1);
    const { vectors } = await embedder.embed(ask(["ab", "c"]), never);
    expect(vectors.map((vector) => vector[2])).toEqual([97, 99]);
    expect(embedder.info.notes).toEqual([
      "The graphics device was lost; the answer went on after reloading.",
    ]);
  });

  test("ends when its signal says so", async () => {
    const embedder = await session([]);
    await expect(embedder.embed(ask(["a"]), AbortSignal.abort())).rejects.toThrow("aborted");
  });
});

test.each([
  [{ input: [] }, "input is []"],
  [{ input: ["a", 3] }, "input[1] is 3"],
  [{ input: "a", prompt: 5 }, "prompt is 5"],
])("refuses %j", (request, message) => {
  expect(() => resolveEmbed(request as Parameters<typeof resolveEmbed>[0])).toThrow(message);
});

test("takes one text too", () => {
  expect(resolveEmbed({ input: "a", prompt: "query" })).toEqual({ texts: ["a"], prompt: "query" });
});
