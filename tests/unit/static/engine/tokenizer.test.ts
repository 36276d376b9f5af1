import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { ChatMessage } from "../../../../static/src/engine/api";
import { ChatTemplate } from "../../../../static/src/engine/chat";
import { Detokenizer } from "../../../../static/src/engine/detokenize";
import { TextCodec } from "../../../../static/src/engine/tokenizer";

interface Fixture {
  tokenizer: object;
  config: object;
  special: Record<string, string>;
  rendered: { template: string; messages: ChatMessage[]; text: string }[];
}

interface Cases {
  cases: { text: string; ids: number[] }[];
}

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const NOT_INSTALLED = 3; // exit status: the package with the model's file is missing

/** Made by the compiler's own code, so that a wrong tokenizer.json shows here too. */
function makeFixture(): Fixture | null {
  const own = `${root}.venv/bin/python`;
  const python = existsSync(own) ? own : "python3";
  const made = spawnSync(python, ["-m", "tests.support.smollm2_tokenizer"], {
    cwd: root,
    encoding: "utf-8",
    maxBuffer: 2 ** 28,
  });
  if (made.status === NOT_INSTALLED) return null;
  if (made.status !== 0) throw new Error(made.stderr || String(made.error));
  return JSON.parse(made.stdout) as Fixture;
}

const fixture = makeFixture();
const { cases } = JSON.parse(
  readFileSync(`${root}tests/data/smollm2_token_ids.json`, "utf-8"),
) as Cases;

describe.skipIf(fixture === null)("SmolLM2's tokenizer", () => {
  const { tokenizer, config, special, rendered } = fixture as Fixture;
  const codec = new TextCodec(tokenizer, config);

  test("gives llama.cpp's ids on 1000 strings", () => {
    expect(cases).toHaveLength(1000);
    const different = cases
      .map(({ text, ids }) => ({ text, expected: ids, found: codec.encode(text) }))
      .filter(({ expected, found }) => expected.join() !== found.join());
    expect(different).toEqual([]);
  });

  test("streams every string as it would decode it at once", () => {
    for (const { ids } of cases) {
      const detokenizer = new Detokenizer(codec);
      const streamed = ids.map((id) => detokenizer.push(id)).join("") + detokenizer.flush();
      expect(streamed).toBe(codec.decode(ids));
    }
  });

  test.each(rendered)("renders $template like transformers", ({ template, messages, text }) => {
    expect(new ChatTemplate(template, special).render(messages)).toBe(text);
  });

  test("leaves special tokens out of an answer", () => {
    expect(codec.decode(codec.encode("<|im_start|>Hello<|im_end|>"))).toBe("Hello");
  });
});
