import { describe, expect, test } from "vitest";
import { DepthTuner } from "../../../../static/src/engine/depth";
import { commonPrefix, type Generation, Generator } from "../../../../static/src/engine/generate";
import { GREEDY } from "../../../../static/src/engine/requests";
import { PROMPT_BIT } from "../../../../static/src/plan";
import { FakeBackend, RecurrentBackend, VOCABULARY } from "./fake";

function request(prompt: number[], rest: Partial<Generation> = {}): Generation {
  return {
    prompt,
    maxTokens: 8,
    sampling: GREEDY,
    speculation: "auto",
    stopTokens: [],
    onToken: () => true,
    signal: new AbortController().signal,
    ...rest,
  };
}

const PROMPT = [3, 1, 4, 1, 5, 9, 2, 6];

/** What a generator that has seen nothing before answers. */
async function fresh(prompt: number[], rest: Partial<Generation> = {}): Promise<number[]> {
  return (await new Generator(new FakeBackend(), VOCABULARY).run(request(prompt, rest))).tokens;
}

test("commonPrefix", () => {
  expect(commonPrefix([1, 2, 3], [1, 2, 4])).toBe(2);
  expect(commonPrefix([1, 2], [1, 2, 3])).toBe(2);
  expect(commonPrefix([], [1])).toBe(0);
});

describe("prefill", () => {
  test("covers all but the last token, in chunks", async () => {
    const backend = new FakeBackend();
    const prompt = Array.from({ length: 24 }, (_, index) => index);
    await new Generator(backend, VOCABULARY).run(request(prompt, { maxTokens: 1 }));
    expect(backend.log).toEqual(["prefill_16 0+16", "prefill_16 16+7"]);
    expect(backend.mostAwaited).toBe(2);
  });

  test("a prompt of one token needs none", async () => {
    const backend = new FakeBackend();
    await new Generator(backend, VOCABULARY).run(request([5]));
    expect(backend.log).toEqual([]);
  });

  test("an abort stops it between chunks, and what was done is kept", async () => {
    const backend = new FakeBackend(200);
    const generator = new Generator(backend, VOCABULARY);
    const prompt = Array.from({ length: 150 }, (_, index) => index % VOCABULARY);
    const controller = new AbortController();
    setTimeout(() => controller.abort());
    const result = await generator.run(request(prompt, { signal: controller.signal }));
    expect(result).toMatchObject({ finishReason: "abort", tokens: [] });
    const chunks = backend.log.length;
    expect(chunks).toBeLessThan(5);
    const again = await generator.run(request(prompt));
    expect(again.cachedTokens).toBe(chunks * 16);
    const other = new Generator(new FakeBackend(200), VOCABULARY);
    expect(again.tokens).toEqual((await other.run(request(prompt))).tokens);
  });
});

describe("a recurrent model", () => {
  test("goes on where the last answer ended", async () => {
    const generator = new Generator(new RecurrentBackend(), VOCABULARY);
    const first = await generator.run(request(PROMPT));
    expect(first.tokens).toEqual(await fresh(PROMPT));
    const longer = [...PROMPT, ...first.tokens, 11, 12];
    const second = await generator.run(request(longer));
    expect(second.cachedTokens).toBe(PROMPT.length + first.tokens.length - 1);
    expect(second.tokens).toEqual(await fresh(longer));
  });

  test("reads a prompt token by token, some of them queued ahead", async () => {
    const backend = new RecurrentBackend();
    const prompt = Array.from({ length: 40 }, (_, index) => index);
    await new Generator(backend, VOCABULARY).run(request(prompt, { maxTokens: 1 }));
    expect(backend.log).toHaveLength(39);
    expect(backend.mostAwaited).toBe(17);
    expect(backend.awaited).toBe(0);
  });

  test("begins anew where it would have to go back", async () => {
    const generator = new Generator(new RecurrentBackend(), VOCABULARY);
    const first = await generator.run(request(PROMPT));
    const again = await generator.run(request(PROMPT));
    expect(again).toMatchObject({ cachedTokens: 0, tokens: first.tokens });
  });

  test("begins anew after an answer cut short with steps under way", async () => {
    const generator = new Generator(new RecurrentBackend(), VOCABULARY);
    let left = 3;
    const first = await generator.run(request(PROMPT, { onToken: () => --left > 0 }));
    expect(first.tokens).toHaveLength(3);
    const longer = [...PROMPT, ...first.tokens, 11];
    const second = await generator.run(request(longer));
    expect(second).toMatchObject({ cachedTokens: 0, tokens: await fresh(longer) });
  });
});

describe("decoding", () => {
  test("gives the asked number of tokens", async () => {
    const seen: number[] = [];
    const onToken = (id: number) => seen.push(id) > 0;
    const generator = new Generator(new FakeBackend(), VOCABULARY);
    const result = await generator.run(request(PROMPT, { onToken }));
    expect(result).toMatchObject({ finishReason: "length", cachedTokens: 0 });
    expect(result.tokens).toHaveLength(8);
    expect(seen).toEqual(result.tokens);
  });

  test("keeps several steps under way once it knows they are short", async () => {
    const backend = new FakeBackend(200);
    await new Generator(backend, VOCABULARY).run(request(PROMPT, { maxTokens: 100 }));
    expect(backend.mostUnderWay).toBeGreaterThan(4);
    expect(backend.mostUnderWay).toBeLessThanOrEqual(16);
    expect(backend.underWay).toBe(0);
  });

  test("a stop token ends the answer and is not part of it", async () => {
    const free = await fresh(PROMPT, { maxTokens: 20 });
    const stop = free[11] as number;
    const end = free.indexOf(stop);
    const generator = new Generator(new FakeBackend(), VOCABULARY);
    const result = await generator.run(request(PROMPT, { maxTokens: 20, stopTokens: [stop] }));
    expect(result).toMatchObject({ finishReason: "stop", tokens: free.slice(0, end) });
  });

  test("a full context ends it as length", async () => {
    const result = await new Generator(new FakeBackend(12), VOCABULARY).run(
      request(PROMPT, { maxTokens: 100 }),
    );
    // The token sampled at the last position needs no place in the cache: 12 + 1 - 8.
    expect(result).toMatchObject({ finishReason: "length", tokens: { length: 5 } });
  });

  test("an abort keeps what came before it", async () => {
    const controller = new AbortController();
    const tokens: number[] = [];
    const onToken = (id: number): boolean => {
      if (tokens.push(id) === 3) controller.abort();
      return true;
    };
    const result = await new Generator(new FakeBackend(), VOCABULARY).run(
      request(PROMPT, { onToken, signal: controller.signal }),
    );
    expect(result.finishReason).toBe("abort");
    expect(result.tokens).toEqual((await fresh(PROMPT)).slice(0, 3));
  });

  test("a failing step fails the request and leaves nothing under way", async () => {
    const backend = new FakeBackend();
    let steps = 0;
    backend.step = async () => {
      if (++steps === 3) throw new Error("lost");
      return [1];
    };
    const generator = new Generator(backend, VOCABULARY);
    await expect(generator.run(request(PROMPT))).rejects.toThrow("lost");
  });
});

describe("speculation", () => {
  const on = { speculation: "on", maxTokens: 40 } as const;
  const some = (position: number): boolean => position % 3 !== 0;

  test("gives the same tokens in fewer steps", async () => {
    const backend = new FakeBackend(64, some);
    const result = await new Generator(backend, VOCABULARY).run(request(PROMPT, on));
    expect(result.tokens).toEqual(await fresh(PROMPT, { maxTokens: 40 }));
    expect(result.finishReason).toBe("length");
    // Right for two of three positions: each step but the last gives three tokens.
    expect(result.guessedTokens).toBe(26);
    expect(new Set(backend.steps)).toEqual(new Set(["verify_4"]));
    expect(backend.underWay).toBe(0);
  });

  test.each([1, 2, 3, 4, 5])(
    "gives no more than %d tokens when asked for so many",
    async (count) => {
      const seen: number[] = [];
      const rest = { ...on, maxTokens: count, onToken: (id: number) => seen.push(id) > 0 };
      const generator = new Generator(new FakeBackend(64, () => true), VOCABULARY);
      const result = await generator.run(request(PROMPT, rest));
      expect(result.tokens).toEqual(await fresh(PROMPT, { maxTokens: count }));
      expect(seen).toEqual(result.tokens);
    },
  );

  test("a full context ends it as length", async () => {
    const generator = new Generator(new FakeBackend(14, () => true), VOCABULARY);
    const result = await generator.run(request(PROMPT, on));
    expect(result).toMatchObject({ finishReason: "length", tokens: { length: 7 } });
  });

  test("a stop token in the middle of a step ends the answer", async () => {
    const free = await fresh(PROMPT, { maxTokens: 20 });
    const stop = free[9] as number;
    const generator = new Generator(new FakeBackend(64, () => true), VOCABULARY);
    const result = await generator.run(request(PROMPT, { ...on, stopTokens: [stop] }));
    const tokens = free.slice(0, free.indexOf(stop));
    expect(result).toMatchObject({ finishReason: "stop", tokens });
  });

  test.each([9, 10, 11, 12])(
    "a turn after an answer cut off at %d reuses what is real",
    async (cut) => {
      const generator = new Generator(new FakeBackend(64, some), VOCABULARY);
      let count = 0;
      const onToken = () => ++count < cut;
      const first = await generator.run(request(PROMPT, { ...on, onToken }));
      expect(first).toMatchObject({ finishReason: "stop", tokens: { length: cut } });
      const second = [...PROMPT, ...first.tokens, 50, 51];
      const result = await generator.run(request(second, on));
      expect(result.cachedTokens).toBe(PROMPT.length + cut - 1);
      expect(result.tokens).toEqual(await fresh(second, { maxTokens: 40 }));
    },
  );

  test("penalties count what was taken", async () => {
    const sampling = { ...GREEDY, presence: 1 };
    const generator = new Generator(new FakeBackend(64, some), VOCABULARY);
    const result = await generator.run(request(PROMPT, { ...on, sampling }));
    expect(result.tokens).toEqual(await fresh(PROMPT, { maxTokens: 40, sampling }));
  });

  test("is left out where it is off, or the backend has none", async () => {
    const backend = new FakeBackend(64, () => true);
    await new Generator(backend, VOCABULARY).run(request(PROMPT, { speculation: "off" }));
    expect(new Set(backend.steps)).toEqual(new Set(["decode"]));
    const without = await new Generator(new FakeBackend(), VOCABULARY).run(request(PROMPT, on));
    expect(without.guessedTokens).toBe(0);
  });

  test.each([
    ["auto", true],
    ["off", false],
  ] as const)("%s verifies an answer that repeats itself: %s", async (speculation, verifies) => {
    const backend = new FakeBackend(400, () => true);
    let position = 0;
    backend.step = async (name) => {
      backend.steps.push(name);
      return Array.from({ length: name === "decode" ? 1 : 4 }, () => position++ % 3);
    };
    let time = 0;
    const generator = new Generator(backend, VOCABULARY, () => (time += 10));
    await generator.run(request(PROMPT, { speculation, maxTokens: 300 }));
    expect(backend.steps.includes("verify_4")).toBe(verifies);
    expect(backend.steps.length < 200).toBe(verifies);
  });

  test("a step that gives nothing is a fault, not an endless wait", async () => {
    const backend = new FakeBackend();
    backend.step = async () => [];
    const generator = new Generator(backend, VOCABULARY);
    await expect(generator.run(request(PROMPT))).rejects.toThrow("no token");
  });
});

describe("prefix reuse", () => {
  test("a second turn prefills only what is new, with the same outcome", async () => {
    const backend = new FakeBackend();
    const generator = new Generator(backend, VOCABULARY);
    const first = await generator.run(request(PROMPT));
    const second = [...PROMPT, ...first.tokens, 7, 8, 9];
    const result = await generator.run(request(second));
    // All of the first turn but its last token, which no step has consumed.
    expect(result.cachedTokens).toBe(PROMPT.length + first.tokens.length - 1);
    expect(result.tokens).toEqual(await fresh(second));
  });

  test("after a stop in the middle of queued steps", async () => {
    const backend = new FakeBackend();
    const generator = new Generator(backend, VOCABULARY);
    let count = 0;
    const onToken = () => ++count < 30;
    const first = await generator.run(request(PROMPT, { maxTokens: 50, onToken }));
    expect(first).toMatchObject({ finishReason: "stop", tokens: { length: 30 } });
    expect(backend.mostUnderWay).toBeGreaterThan(1);
    expect(backend.underWay).toBe(0);
    const second = [...PROMPT, ...first.tokens, 50, 51];
    const result = await generator.run(request(second));
    expect(result.cachedTokens).toBe(PROMPT.length + 29);
    expect(result.tokens).toEqual(await fresh(second));
  });

  test("a changed turn starts over from the change", async () => {
    const generator = new Generator(new FakeBackend(), VOCABULARY);
    await generator.run(request(PROMPT));
    const edited = [...PROMPT.slice(0, 4), 60, ...PROMPT.slice(5)];
    const result = await generator.run(request(edited));
    expect(result.cachedTokens).toBe(4);
    expect(result.tokens).toEqual(await fresh(edited));
  });

  test("the same prompt again needs its last token only", async () => {
    const generator = new Generator(new FakeBackend(), VOCABULARY);
    const first = await generator.run(request(PROMPT));
    const again = await generator.run(request(PROMPT));
    expect(again.cachedTokens).toBe(PROMPT.length - 1);
    expect(again.tokens).toEqual(first.tokens);
  });
});

test("counts are written whole when a penalty needs them", async () => {
  const backend = new FakeBackend();
  const generator = new Generator(backend, VOCABULARY);
  backend.counts.fill(9);
  await generator.run(request([5]));
  expect(backend.counts.every((count) => count === 9)).toBe(true);
  await generator.run(request([5, 6], { sampling: { ...GREEDY, presence: 1 } }));
  expect([...backend.counts.slice(4, 8)]).toEqual([0, PROMPT_BIT, PROMPT_BIT, 0]);
});

test("evaluate forces every token", async () => {
  const forced = [...PROMPT, 20, 21, 22]; // not what the model would say
  const tokens: number[] = [];
  for (let end = PROMPT.length; end <= forced.length; end++) {
    tokens.push(...(await fresh(forced.slice(0, end), { maxTokens: 1 })));
  }
  const generator = new Generator(new FakeBackend(), VOCABULARY);
  // The second time all of it is cached, and must be consumed again all the same.
  for (let time = 0; time < 2; time++) {
    const logits = await generator.evaluate(forced, PROMPT.length - 1);
    const best = Array.from({ length: 4 }, (_, row) =>
      logits.subarray(row * VOCABULARY, (row + 1) * VOCABULARY).indexOf(1),
    );
    expect(best).toEqual(tokens);
  }
  const longer = [...forced, 11, 12, 13, 14, 15];
  const after = await generator.run(request(longer));
  expect(after.cachedTokens).toBe(forced.length);
  expect(after.tokens).toEqual(await fresh(longer));
});

describe("DepthTuner", () => {
  test.each([
    [200, 1],
    [20, 3],
    [1, 16],
  ])("steps of %d ms: %d under way", (milliseconds, depth) => {
    let now = 0;
    const tuner = new DepthTuner(16, () => now);
    expect(tuner.value).toBe(1);
    for (let step = 0; step < 20; step++) {
      now += milliseconds;
      tuner.arrived();
    }
    expect(tuner.value).toBe(depth);
  });
});
