"""Runs single kernels on WebGPU in the browser and brings their buffers back."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Browser

from compiler.kernels import sets
from compiler.kernels.dsl import KernelFunction
from compiler.kernels.gpu.language import BASE, HALF, Language
from compiler.lower.generic import Backend
from compiler.lower.wgsl import Shader, compile_kernels
from tests.support.exchange import Array, exchange, prepare

FEATURES = ["subgroups", "shader-f16"]  # used where the adapter has them

SCRIPT = """async ({ text, entry, buffers, grid, features }) => {
  const newDevice = async () => {
    const adapter = await navigator.gpu.requestAdapter();
    const requiredFeatures = features.filter((name) => adapter.features.has(name));
    return adapter.requestDevice({ requiredFeatures });
  };
  globalThis.device ??= await newDevice();
  const device = globalThis.device;
  device.pushErrorScope("validation");
  const pipelines = (globalThis.pipelines ??= new Map());
  if (!pipelines.has(text)) {
    const module = device.createShaderModule({ code: text });
    const compute = { module, entryPoint: entry };
    pipelines.set(text, await device.createComputePipelineAsync({ layout: "auto", compute }));
  }
  const pipeline = pipelines.get(text);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const made = buffers.map((data) => {
    const content = bytes(data);
    const buffer = device.createBuffer({ size: content.length, usage });
    device.queue.writeBuffer(buffer, 0, content);
    return buffer;
  });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: made.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(...grid);
  pass.end();
  const reads = made.map((buffer) => {
    const read = device.createBuffer({
      size: buffer.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    encoder.copyBufferToBuffer(buffer, 0, read, 0, buffer.size);
    return read;
  });
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error) throw new Error(error.message);
  const out = [];
  for (const read of reads) {
    await read.mapAsync(GPUMapMode.READ);
    out.push(text64(new Uint8Array(read.getMappedRange())));
  }
  return out;
}"""


class Gpu:
    """A page whose only purpose is its `navigator.gpu`."""

    backend: Backend = "webgpu"

    def __init__(self, browser: Browser, language: Language = BASE) -> None:
        self.language, self.kernels = language, sets.webgpu(language)
        self._page = browser.new_page()
        self._shaders: dict[KernelFunction, Shader] = {}
        self._page.route("**/*", lambda route: route.fulfill(body="", content_type="text/html"))
        self._page.goto("http://localhost/")  # WebGPU needs a secure context
        prepare(self._page)

    @property
    def half(self) -> bool:
        """Whether products and the KV cache are in half precision."""
        return self.language.half is not None

    @property
    def lacks(self) -> str | None:
        """A feature of the language that the adapter does not have."""
        wanted = {"subgroups": self.language.subgroups, "shader-f16": self.language.half is HALF}
        found = self._page.evaluate(
            "async () => [...(await navigator.gpu.requestAdapter()).features]"
        )
        return next((name for name, used in wanted.items() if used and name not in found), None)

    def stored(self, cache: Array) -> Array:
        """A KV cache as its kernels keep it."""
        if not self.half:
            return cache
        rounded = cache.astype(np.float16)
        return rounded if self.language.half is HALF else rounded.astype(np.float32)

    def run(self, kernel: KernelFunction, arrays: dict[str, Array]) -> dict[str, Array]:
        """Launches `kernel` on copies of `arrays`, by argument name; returns all of them after."""
        if kernel not in self._shaders:
            self._shaders[kernel] = compile_kernels([kernel])[kernel.name]
        shader = self._shaders[kernel]
        assert set(shader.arguments) == set(kernel.arguments)
        return exchange(
            self._page,
            SCRIPT,
            {name: arrays[name] for name in shader.arguments},
            _padded,
            text=shader.text,
            entry=shader.entry,
            grid=list(kernel.grid),
            features=FEATURES,
        )


def _padded(data: bytes) -> bytes:
    """At least 16 bytes, a multiple of 4: what a storage binding may be."""
    return data.ljust(max(16, -(-len(data) // 4) * 4), b"\0")


def assert_close(got: Array, expected: Array, tolerance: float, what: str) -> None:
    """Absolute and relative tolerance alike; names the worst element."""
    assert got.shape == expected.shape, f"{what}: {got.shape} instead of {expected.shape}"
    error = np.abs(got.astype(np.float64) - expected) / np.maximum(1.0, np.abs(expected))
    error = np.where(np.isfinite(got), error, np.inf)
    worst = np.unravel_index(int(np.argmax(error)), error.shape)
    index = tuple(int(i) for i in worst)
    assert error[worst] <= tolerance, (
        f"{what}: worst at {index}: expected {expected[worst]:.8g}, got {got[worst]:.8g} "
        f"(error {error[worst]:.3g}, tolerance {tolerance:.3g})"
    )
