import { LoggerWithoutDebug, Wllama } from "@wllama/wllama";
import { expectTokens } from "./measure.js";

const WASM = "/bench/node_modules/@wllama/wllama/esm/wasm/wllama.wasm";

export async function open({ model, threads, context }) {
  const wllama = new Wllama({ default: WASM }, { logger: LoggerWithoutDebug });
  await wllama.loadModelFromUrl(new URL(model, location.href).href, {
    n_ctx: context,
    n_batch: 128,
    n_ubatch: 128,
    n_threads: threads,
    n_parallel: 1,
    n_gpu_layers: 0, // never WebGPU
  });
  return {
    info: { threads: wllama.getNumThreads(), version: Wllama.getLibllamaVersion() },
    generate: (prompt, count, onToken) => generate(wllama, prompt, count, onToken),
  };
}

async function generate(wllama, prompt, count, onToken) {
  let last;
  await wllama.createCompletion({
    prompt: prompt.text, // it takes no ids
    max_tokens: count,
    temperature: 0,
    ignore_eos: true,
    cache_prompt: false,
    stream: true,
    onData: (chunk) => {
      last = chunk;
      onToken();
    },
  });
  const { prompt_tokens, completion_tokens } = last.usage;
  expectTokens(prompt, count, { prompt: prompt_tokens, made: completion_tokens });
}
