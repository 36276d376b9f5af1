import { AutoModelForCausalLM, env, Tensor } from "@huggingface/transformers";
import { expectTokens } from "./measure.js";

const RUNTIME = "/bench/node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded";
const BUILDS = { wasm: RUNTIME, webgpu: `${RUNTIME}.asyncify` };

export async function open({ model, threads, backend }) {
  const onnx = env.backends.onnx;
  const build = BUILDS[backend];
  onnx.wasm.wasmPaths = { mjs: absolute(`${build}.mjs`), wasm: absolute(`${build}.wasm`) };
  onnx.wasm.numThreads = threads;
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = absolute("/bench/models/");
  const loaded = await AutoModelForCausalLM.from_pretrained(model, {
    device: backend,
    dtype: "q4",
  });
  return {
    info: { threads: onnx.wasm.numThreads, backend, version: env.version, runtime: onnx.versions.web },
    generate: (prompt, count, onToken) => generate(loaded, prompt, count, onToken),
  };
}

async function generate(model, prompt, count, onToken) {
  const { ids } = prompt;
  const shape = [1, ids.length];
  let first = true; // the streamer is given the prompt first
  const streamer = {
    put() {
      if (!first) onToken();
      first = false;
    },
    end() {},
  };
  const output = await model.generate({
    inputs: new Tensor("int64", BigInt64Array.from(ids, BigInt), shape),
    attention_mask: new Tensor("int64", new BigInt64Array(ids.length).fill(1n), shape),
    min_new_tokens: count,
    max_new_tokens: count,
    do_sample: false,
    streamer,
  });
  expectTokens(prompt, count, { prompt: ids.length, made: output.dims[1] - ids.length });
}

function absolute(path) {
  return new URL(path, location.href).href;
}
