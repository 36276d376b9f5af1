// Dawn's verdict on shaders, without a GPU: its null backend offers every feature and runs nothing.
//
// Reads {features, shaders: [{name, entry, text}]} and writes {name: error or null}, both JSON.

import { text } from "node:stream/consumers";
import { create } from "webgpu";

const { features, shaders } = JSON.parse(await text(process.stdin));
// On the global object, because Dawn must not be collected while anything of it is in use.
globalThis.gpu = create(["backend=null"]);
globalThis.adapter = await gpu.requestAdapter();
// Not one feature and no higher limit than is asked for: whoever needs more is refused.
globalThis.device = await adapter.requestDevice({ requiredFeatures: features });

async function verdict({ entry, text }) {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code: text });
  const compute = { module, entryPoint: entry };
  const made = device.createComputePipelineAsync({ layout: "auto", compute });
  const refusal = await made.then(() => null, (error) => error.message);
  const { messages } = await module.getCompilationInfo();
  const said = messages.map(({ lineNum, message }) => `line ${lineNum}: ${message}`);
  await device.popErrorScope();
  return refusal === null && said.length === 0 ? null : [refusal, ...said].join("\n");
}

const verdicts = {};
for (const shader of shaders) verdicts[shader.name] = await verdict(shader);
process.stdout.write(JSON.stringify(verdicts), () => process.exit(0));
