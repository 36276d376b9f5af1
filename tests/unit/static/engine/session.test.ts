/** Whole answers while backends fail under them: the same as undisturbed ones. */

import { beforeEach, describe, expect, test } from "vitest";
import { type EngineInfo, type ErrorCode, WebkilnError } from "../../../../static/src/engine/api";
import type { ResolvedChat } from "../../../../static/src/engine/protocol";
import { GREEDY } from "../../../../static/src/engine/requests";
import { type Footing, Ladder } from "../../../../static/src/engine/rungs";
import { Session } from "../../../../static/src/engine/session";
import type { TextCodec } from "../../../../static/src/engine/tokenizer";
import { PROMPT_BIT } from "../../../../static/src/plan";
import { manifest } from "../bundle";
import { FakeBackend, VOCABULARY } from "./fake";

const CONTEXT = 200;
const PROMPT = "Tell me about the kiln and the fire in it, please";
const RUNGS = ["f32", "wasm"];
const never = new AbortController().signal;

/** Token ids are the ASCII codes from the space up. */
const codec = {
  encode: (text: string) => [...text].map((letter) => letter.charCodeAt(0) - 32),
  decode: (ids: number[]) => ids.map((id) => String.fromCharCode(id + 32)).join(""),
} as unknown as TextCodec;

function fault(code: ErrorCode = "device-lost"): WebkilnError {
  return new WebkilnError(code, `lost by ${code}`, "do something");
}

/** Every backend that was opened, as [variant, backend]. */
let opened: [string, FakeBackend][];
/** What happens to each one, in order, as it is opened. */
let fates: ((backend: FakeBackend) => void)[];
/** Variants that can no longer be opened. */
let closed: Map<string, WebkilnError>;
let changes: EngineInfo[];

beforeEach(() => {
  opened = [];
  fates = [];
  closed = new Map();
  changes = [];
});

async function open(variant: string): Promise<Footing> {
  const refusal = closed.get(variant);
  if (refusal) throw refusal;
  const backend = new FakeBackend(CONTEXT, (position) => position % 3 > 0);
  opened.push([variant, backend]);
  fates.shift()?.(backend);
  return {
    variant,
    kind: variant === "wasm" ? "wasm" : "webgpu",
    threads: 1,
    tuned: null,
    backend,
  };
}

async function session(names = RUNGS): Promise<Session> {
  const rungs = names.map((variant) => ({
    variant,
    backend: variant === "wasm" ? ("wasm" as const) : ("webgpu" as const),
    usable: true,
    reasons: [] as string[],
    causes: [],
  }));
  const report = {
    secureContext: true,
    crossOriginIsolated: false,
    adapter: null,
    features: [],
    limits: {},
    webassembly: [],
    cores: 2,
    rungs,
    chosen: names[0] ?? null,
  };
  const lookout = { loading: async () => {}, loaded: () => {} };
  const ladder = new Ladder(report, rungs, [...names], open, lookout);
  const chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}";
  return new Session({
    manifest: { ...manifest(), vocabulary: VOCABULARY, chat_template, stop_tokens: [] },
    context: CONTEXT,
    notes: [],
    remarks: [],
    codec,
    ladder,
    footing: await ladder.climb(never),
    change: (info) => changes.push(structuredClone(info)),
  });
}

function request(rest: Partial<ResolvedChat> = {}): ResolvedChat {
  const messages = [{ role: "user" as const, content: PROMPT }];
  const settings = { sampling: GREEDY, speculation: "auto" as const };
  return { messages, ...settings, maxTokens: 30, stop: [], continues: false, ...rest };
}

const lose = (backend: FakeBackend) => backend.lose(fault());

/** Lost when the `step`-th decode step runs. */
const atStep =
  (step: number, how = lose) =>
  (backend: FakeBackend) => {
    let steps = 0;
    backend.onStep = () => {
      if (++steps === step) how(backend);
    };
  };

/** Lost when the `chunk`-th prefill chunk runs. */
const atChunk = (chunk: number) => (backend: FakeBackend) => {
  let chunks = 0;
  backend.onChunk = () => {
    if (++chunks === chunk) lose(backend);
  };
};

async function ask(subject: Session, asked = request(), signal = never) {
  let streamed = "";
  const result = await subject.chat(asked, signal, (piece) => {
    streamed += piece;
  });
  return { ...result, streamed };
}

/** The same request to a session that nothing happens to. */
async function undisturbed(asked = request()) {
  const kept = { opened, fates, closed };
  opened = [];
  fates = [];
  closed = new Map();
  const answer = await ask(await session(), asked);
  ({ opened, fates, closed } = kept);
  return answer;
}

const penalised = () => request({ sampling: { ...GREEDY, presence: 1 } });

describe("an answer goes on after a loss", () => {
  test.each<[string, ((backend: FakeBackend) => void)[], string[]]>([
    ["in its prompt", [atChunk(2)], ["f32", "f32"]],
    ["at its first token", [atStep(1)], ["f32", "f32"]],
    ["at its seventh token", [atStep(7)], ["f32", "f32"]],
    ["at its last token", [atStep(30)], ["f32", "f32"]],
    ["twice", [atStep(7), atStep(9)], ["f32", "f32", "wasm"]],
    ["and another while it is replayed", [atStep(20), atChunk(2)], ["f32", "f32", "wasm"]],
    ["on every rung", [atStep(5), atStep(5), atStep(5)], ["f32", "f32", "wasm", "wasm"]],
  ])("%s", async (_, losses, variants) => {
    for (const asked of [request(), penalised()]) {
      opened = [];
      fates = [...losses];
      const expected = await undisturbed(asked);
      const answer = await ask(await session(), asked);
      expect(opened.map(([variant]) => variant)).toEqual(variants);
      expect(answer.text).toBe(expected.text);
      expect(answer.text).toHaveLength(30);
      expect(answer.streamed).toBe(expected.streamed);
      expect(answer.finishReason).toBe("length");
      const { prompt_tokens, completion_tokens, total_tokens, cached_tokens } = answer.usage;
      expect([prompt_tokens, completion_tokens, total_tokens, cached_tokens]).toEqual([
        PROMPT.length,
        30,
        PROMPT.length + 30,
        0,
      ]);
      expect(opened.slice(0, -1).every(([, backend]) => backend.disposed)).toBe(true);
      expect(opened.at(-1)?.[1].disposed).toBe(false);
    }
  });

  test.each<ErrorCode>(["device-lost", "out-of-memory", "gpu-validation", "kernel-fault"])(
    "by %s",
    async (code) => {
      fates = [atStep(3, (backend) => backend.lose(fault(code)))];
      expect((await ask(await session())).text).toBe((await undisturbed()).text);
    },
  );

  test("with the penalties' counts: the prompt's bit, and how often each was generated", async () => {
    fates = [atStep(20)];
    const subject = await session();
    await ask(subject, penalised());
    const counts = new Int32Array(VOCABULARY);
    const [, last] = opened.at(-1) ?? [];
    for (const id of codec.encode(PROMPT)) counts[id] = PROMPT_BIT;
    for (const id of codec.encode((await undisturbed(penalised())).text)) {
      counts[id] = (counts[id] ?? 0) + 1;
    }
    expect(last?.counts).toEqual(counts);
  });

  test("up to a stop string that spans the loss", async () => {
    const whole = (await undisturbed()).text;
    const stop = [whole.slice(8, 14)];
    for (const step of [9, 10, 11, 12, 13, 14]) {
      fates = [atStep(step)];
      const answer = await ask(await session(), request({ stop }));
      expect(answer.text).toBe(whole.slice(0, whole.indexOf(stop[0] as string)));
      expect(answer).toMatchObject({ finishReason: "stop", streamed: answer.text });
    }
  });

  test("that falls among guesses", async () => {
    const speculation = "on";
    fates = [atStep(4)];
    const answer = await ask(await session(), request({ speculation }));
    expect(opened).toHaveLength(2);
    const calm = await undisturbed();
    expect(answer.text).toBe(calm.text);
    expect(answer.usage.guessed_tokens).toBeGreaterThan(10);
    expect(calm.usage.guessed_tokens).toBe(0);
  });

  test("to the end of a full context", async () => {
    fates = [atStep(100)];
    const answer = await ask(await session(), request({ maxTokens: null }));
    expect(answer.text).toHaveLength(CONTEXT + 1 - PROMPT.length);
    expect(answer).toMatchObject({ finishReason: "length" });
  });
});

test("what changed is told at once, and stays told", async () => {
  fates = [atStep(5), atStep(5)];
  const subject = await session();
  expect(subject.info).toMatchObject({ variant: "f32", backend: "webgpu", notes: [] });
  await ask(subject);
  const again = "The graphics device was lost; the answer went on after reloading.";
  const lower = "The graphics device was lost; the answer went on with wasm on WebAssembly.";
  expect(changes.map(({ variant, backend, notes }) => [variant, backend, notes])).toEqual([
    ["f32", "webgpu", [again]],
    ["wasm", "wasm", [again, lower]],
  ]);
  expect(subject.info).toEqual(changes[1]);
  expect(subject.info.report).toMatchObject({
    chosen: "wasm",
    rungs: [
      { usable: false, reasons: ["lost by device-lost"] },
      { usable: true, reasons: [] },
    ],
  });
});

test.each<[ErrorCode, string]>([
  ["device-lost", "wasm"], // other kernels would be lost with the same device
  ["gpu-validation", "f32"], // other kernels may be valid
])("after two losses by %s it goes on with %s", async (code, variant) => {
  const lost = (backend: FakeBackend) => {
    let steps = 0;
    backend.onStep = () => {
      if (++steps === 5) backend.lose(fault(code));
    };
  };
  fates = [lost, lost];
  const subject = await session(["f16", "f32", "wasm"]);
  const answer = await ask(subject);
  expect(answer.text).toBe((await undisturbed()).text);
  expect(opened.map(([name]) => name).slice(0, 3)).toEqual(["f16", "f16", variant]);
  expect(subject.info.variant).toBe(variant);
});

test("losses in two answers within a minute count as one rung's failure", async () => {
  fates = [atStep(5), atStep(40)]; // 30 steps are the first answer's
  const subject = await session();
  await ask(subject);
  await ask(subject);
  expect(opened.map(([variant]) => variant)).toEqual(["f32", "f32", "wasm"]);
  expect((await ask(subject)).text).toBe((await undisturbed()).text);
});

test("a rung that cannot be opened anew is left for the next", async () => {
  fates = [
    atStep(5, (backend) => {
      closed.set("f32", fault("no-adapter"));
      lose(backend);
    }),
  ];
  const subject = await session();
  expect((await ask(subject)).text).toBe((await undisturbed()).text);
  expect(subject.info).toMatchObject({ variant: "wasm" });
  expect(subject.info.report.rungs[0]?.reasons).toEqual(["lost by no-adapter"]);
});

describe("when nothing is left", () => {
  test("the answer so far has been streamed, and the error is typed", async () => {
    fates = [atStep(5), atStep(6)];
    const subject = await session(["f32"]);
    let streamed = "";
    const answer = subject.chat(request(), never, (piece) => {
      streamed += piece;
    });
    await expect(answer).rejects.toMatchObject({ code: "device-lost" });
    expect(streamed).toBe((await undisturbed()).text.slice(0, 4 + 5));
    expect(opened).toHaveLength(2);
    await expect(subject.generate([1], 1, "auto", never)).rejects.toMatchObject({
      code: "device-lost",
    });
    expect(opened).toHaveLength(2);
  });

  test("what is no loss is no reason to try again", async () => {
    fates = [atStep(5, (backend) => backend.lose(fault("internal")))];
    await expect(ask(await session())).rejects.toMatchObject({ code: "internal" });
    expect(opened).toHaveLength(1);
  });
});

describe("a repair that cannot be ended now", () => {
  const cut = (backend: FakeBackend): void => {
    closed.set("f32", fault("network"));
    lose(backend);
  };

  test("by the network's fault is tried again with the next request", async () => {
    fates = [atStep(5, cut)];
    const subject = await session();
    await expect(ask(subject)).rejects.toMatchObject({ code: "network" });
    closed.clear();
    expect((await ask(subject)).text).toBe((await undisturbed()).text);
    expect(opened.map(([variant]) => variant)).toEqual(["f32", "f32"]);
  });

  test("because of an abort gives the answer so far", async () => {
    const controller = new AbortController();
    fates = [
      atStep(5, (backend) => {
        lose(backend);
        controller.abort();
      }),
    ];
    const subject = await session();
    const answer = await ask(subject, request(), controller.signal);
    expect(answer).toMatchObject({ finishReason: "abort", usage: { completion_tokens: 4 } });
    expect(answer.text).toBe((await undisturbed()).text.slice(0, 4));
    expect((await ask(subject)).text).toBe((await undisturbed()).text);
  });
});

test("generate and evaluate go on as well", async () => {
  const ids = [3, 1, 4, 1, 5, 9];
  fates = [atStep(3)];
  const tokens = await (await session()).generate(ids, 10, "auto", never);
  expect(opened).toHaveLength(2);
  const calm = await session();
  expect(tokens).toEqual(await calm.generate(ids, 10, "auto", never));
  const logits = await calm.evaluate(ids, 2, never);
  fates = [atStep(3)];
  opened = [];
  expect(await (await session()).evaluate(ids, 2, never)).toEqual(logits);
  expect(opened).toHaveLength(2);
});
