// Stands in for engine.js: answers with the texts of `window.script`, so that tests decide what a
// model says and how fast: {answers: [...], perSecond: tokens, or null for all at once}.
// `window.stuck = true` holds the download in the middle, until the page cancels it;
// `window.held`, a promise, is waited for before the model is there;
// `window.fault = code` makes requests fail.
export * from "./engine.js?real"; // whatever is not below

const TOKEN = 4; // characters

const REPORT = {
  secureContext: true,
  crossOriginIsolated: true,
  adapter: null,
  features: [],
  limits: {},
  webassembly: ["simd128"],
  cores: 2,
  rungs: [{ variant: "wasm", backend: "wasm", usable: true, reasons: [], causes: [] }],
  chosen: "wasm",
};

export async function checkDevice() {
  return { report: REPORT };
}

export async function createEngine({ onProgress, download }) {
  if (window.stuck) await half(onProgress, download.signal);
  await window.held;
  let next = 0;
  const info = {
    model: "scripted",
    variant: "wasm",
    backend: "wasm",
    threads: 1,
    tuned: null,
    context: 32768,
    vocabulary: 1000,
    embedding: null,
    notes: [],
    remarks: [],
    report: REPORT,
  };
  const create = async ({ signal }) => {
    if (window.fault) throw fault(window.fault);
    const { answers, perSecond } = window.script;
    return stream(answers[next++ % answers.length], perSecond, signal);
  };
  return {
    info,
    chat: { completions: { create } },
    countTokens: async (messages) => messages.reduce((sum, { content }) => sum + content.length, 0),
    dispose: async () => {},
  };
}

function half(onProgress, signal) {
  const parts = { loaded: 50e6, total: 100e6, cached: 10e6, rate: 2e6, secondsLeft: 25 };
  onProgress({ phase: "download", ...parts, pipelines: 0, pipelinesTotal: 0 });
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(fault("aborted")));
  });
}

function fault(code) {
  const parts = { code, hint: "Do something about it.", values: {} };
  return Object.assign(new Error(`this was ordered: ${code}`), parts);
}

/** Every token is a task of its own, as messages from a worker are. */
async function* stream(text, perSecond, signal) {
  const tokens = text.match(new RegExp(`.{1,${TOKEN}}`, "gsu")) ?? [];
  const start = performance.now();
  let reason = "stop";
  for (const [index, token] of tokens.entries()) {
    if (signal.aborted) {
      reason = "abort";
      break;
    }
    await (perSecond && due(start + (1000 * index) / perSecond));
    await task();
    yield chunk({ content: token }, null);
  }
  const seconds = (performance.now() - start) / 1000;
  const usage = {
    prompt_tokens: 10,
    completion_tokens: tokens.length,
    total_tokens: tokens.length + 10,
    cached_tokens: 0,
    guessed_tokens: 0,
    prefill_seconds: 0.1,
    decode_seconds: seconds,
  };
  yield { ...chunk({}, reason), usage };
}

function chunk(delta, finish_reason) {
  return { choices: [{ index: 0, delta, finish_reason }] };
}

async function due(time) {
  const left = time - performance.now();
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
}

function task() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
