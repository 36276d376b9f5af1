"""Measures tilings of a model's products on this machine's GPU: `compile-model tune`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import compress
from math import prod
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Error, Page
from rich.console import RenderableType
from rich.table import Table
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from compiler.kernels.dsl import KernelFunction
from compiler.kernels.gpu import tilings
from compiler.kernels.gpu.tilings import Choice, Tiled
from compiler.kernels.specs import Attend, ProjectAppend
from compiler.lower.targets import DEFAULT_LIMITS
from compiler.lower.wgsl import Shader, compile_kernels
from compiler.progress import Progress
from web.browser import browser
from web.errors import SiteError
from web.verify import running

MEMORY = DEFAULT_LIMITS["maxComputeWorkgroupStorageSize"]
POSITION = 2047  # of attention's first token: a long conversation
WORTH = 0.97  # a winner takes at most so much of the default's time; less is noise
ALIKE = 1.05  # times the fastest: of candidates within, visitors load the shortest

OPEN = """async () => {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return null;
  const { maxStorageBufferBindingSize, maxBufferSize } = adapter.limits;
  const limits = { maxStorageBufferBindingSize, maxBufferSize };
  globalThis.device = await adapter.requestDevice({ requiredLimits: limits });
  const { vendor, architecture, isFallbackAdapter } = adapter.info;
  return { vendor, architecture, software: isFallbackAdapter };
}"""

# A first look leaves out what is far behind. The others run in turn, `rounds` times, so that a slow
# moment of the machine hits them all.
# A model's weights do not stay in a GPU's caches from one token to the next: each launch reads a
# copy of its own until `spread` bytes have been read.
MEASURE = """async ({ candidates, control, rounds, spread, milliseconds }) => {
  const NORMAL = 0x30013001; // two halves, or an f32, or codes: no NaN and nothing denormal
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const stages = async ({ code, entry, buffers }) => {
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ code });
    const kinds = buffers.map(({ written }) => (written ? "storage" : "read-only-storage"));
    const entries = kinds.map((type, binding) => (
      { binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } }
    ));
    const layout = device.createBindGroupLayout({ entries });
    const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
    const compute = { module, entryPoint: entry };
    const pipeline = await device.createComputePipelineAsync({ layout: pipelineLayout, compute });
    const error = await device.popErrorScope();
    if (error) throw new Error(error.message);
    return { layout, pipeline };
  };
  const made = new Map();
  const buffer = (key, bytes) => {
    if (!made.has(key)) {
      const fresh = device.createBuffer({ size: bytes, usage });
      device.queue.writeBuffer(fresh, 0, new Uint32Array(bytes / 4).fill(NORMAL));
      if (key === "control") device.queue.writeBuffer(fresh, 0, Uint32Array.from(control));
      made.set(key, fresh);
    }
    return made.get(key);
  };
  const run = async ({ pipeline, groups, grid }, count) => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    for (let i = 0; i < count; i++) {
      pass.setBindGroup(0, groups[i % groups.length]);
      pass.dispatchWorkgroups(...grid);
    }
    pass.end();
    const start = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return (performance.now() - start) / count;
  };
  for (const kind of ["validation", "out-of-memory"]) device.pushErrorScope(kind);
  const ready = [];
  for (const candidate of candidates) {
    const { layout, pipeline } = await stages(candidate);
    const weights = candidate.buffers.filter(({ weight }) => weight);
    const bytes = weights.reduce((sum, each) => sum + each.bytes, 0);
    const copies = Math.max(1, Math.min(64, bytes ? Math.ceil(spread / bytes) : 1));
    const groups = Array.from({ length: copies }, (_, copy) => device.createBindGroup({
      layout,
      entries: candidate.buffers.map(({ name, bytes, weight }, binding) => (
        { binding, resource: { buffer: buffer(weight ? name + copy : name, bytes) } }
      )),
    }));
    const step = { pipeline, groups, grid: candidate.grid };
    await run(step, 1);
    const best = Math.min(await run(step, 2), await run(step, 2));
    ready.push({ step, best, count: Math.max(1, Math.ceil(milliseconds / Math.max(best, 0.001))) });
  }
  const limit = 1.5 * Math.min(...ready.map(({ best }) => best));
  const kept = ready.filter(({ best }, index) => index === 0 || best <= limit);
  for (const each of kept) each.best = Infinity;
  for (let round = 0; round < rounds; round++)
    for (const each of kept) each.best = Math.min(each.best, await run(each.step, each.count));
  for (const each of made.values()) each.destroy();
  // What the device refused took no time, and is no measurement.
  for (let scope = 0; scope < 2; scope++) {
    const error = await device.popErrorScope();
    if (error) throw new Error(error.message);
  }
  return ready.map(({ best }) => best);
}"""


@dataclass(frozen=True)
class Adapter:
    """What runs the kernels, as WebGPU names it."""

    vendor: str
    architecture: str
    software: bool


@dataclass(frozen=True)
class Measured:
    """One shape: milliseconds of the default tiling and of the best one."""

    spec: Tiled
    default_ms: float
    best: Choice
    best_ms: float

    @property
    def pays(self) -> bool:
        return self.best_ms <= WORTH * self.default_ms


class Tuner:
    """A page with a WebGPU device."""

    def __init__(self, page: Page, address: str, *, rounds: int = 5, milliseconds: int = 20):
        """Each candidate runs `rounds` times for about `milliseconds`. Raises SiteError without
        WebGPU."""
        self._page, self._rounds, self._milliseconds = page, rounds, milliseconds
        page.set_default_timeout(0)
        page.goto(address)
        try:
            found = page.evaluate(OPEN)
        except Error as error:
            raise SiteError(f"the browser opens no WebGPU device: {_reason(error)}") from error
        if found is None:
            raise SiteError("this browser offers no WebGPU adapter: update it or its GPU driver")
        self.adapter = Adapter(**found)

    def measure(self, spec: Tiled, candidates: Sequence[Choice]) -> Measured:
        """Times all candidates of a shape; the first is its default."""
        kernels = [tilings.build(_shortened(spec), choice) for choice in candidates]
        shaders = [compile_kernels([kernel])[kernel.name] for kernel in kernels]
        fits = [shader.workgroup_bytes <= MEMORY for shader in shaders]
        candidates = list(compress(candidates, fits))
        lengths = list(compress((len(shader.text) for shader in shaders), fits))
        described = [
            _described(*pair) for pair in compress(zip(kernels, shaders, strict=True), fits)
        ]
        spread = 0 if self.adapter.software else 128 * 2**20  # past any cache
        settings = {
            "control": [POSITION, spec.rows] if isinstance(spec, Attend) else [],
            "rounds": self._rounds,
            "spread": spread,
            "milliseconds": self._milliseconds,
        }
        try:
            times = self._page.evaluate(MEASURE, {"candidates": described, **settings})
        except Error as error:
            raise SiteError(f"{tilings.name(spec)} cannot be measured: {_reason(error)}") from error
        best = winner(times, lengths)
        return Measured(spec, times[0], candidates[best], times[best])


def winner(times: Sequence[float], lengths: Sequence[int]) -> int:
    """Which candidate to keep: the shortest text of those about as fast as the fastest."""
    fastest = min(times)
    alike = [index for index, time in enumerate(times) if time <= ALIKE * fastest]
    return min(alike, key=lambda index: (lengths[index], times[index]))


def tune(
    shapes: Sequence[Tiled], *, software: bool, file: Path, progress: Progress
) -> RenderableType:
    """Measures every shape and adds the winners to the table in `file`; what is printed at the end.
    Raises SiteError without a browser or a GPU, UsageError for a file that is no such table."""
    known = tilings.measured(file) if file.exists() else {}
    table = {v: dict(s) for v, s in known.items()}
    results = []
    with site() as address, opened(software=software) as chromium:
        tuner = Tuner(chromium.new_page(), address)
        if tuner.adapter.software and not software:
            raise SiteError("the browser found no GPU here; --software tunes for its own renderer")
        if not tuner.adapter.vendor:
            raise SiteError("the browser hides this adapter's vendor, by which winners are kept")
        winners = table.setdefault(tuner.adapter.vendor, {})
        with progress.stage("tune", total=len(shapes)) as stage:
            for spec in shapes:
                result = tuner.measure(spec, list(tilings.candidates(spec)))
                winners.pop(tilings.name(spec), None)
                if result.pays:
                    winners[tilings.name(spec)] = result.best
                tilings.write(table, file)  # after each: a long run may be cut short
                results.append(result)
                stage.advance(1, tilings.name(spec))
    return _readable(tuner.adapter, results)


def _readable(adapter: Adapter, results: Sequence[Measured]) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    for heading in (f"{adapter.vendor} {adapter.architecture}", "default ms", "best ms", "tiling"):
        table.add_column(heading)
    for each in results:
        times = f"{each.default_ms:.3f}", f"{each.best_ms:.3f}"
        tiling = "default" if not each.pays else " ".join(map(str, each.best))
        table.add_row(tilings.name(each.spec), *times, tiling)
    return table


def opened(*, software: bool) -> AbstractContextManager[Browser]:
    """A browser on this machine's GPU, or on SwiftShader, Chromium's renderer in software."""
    return browser() if software else browser(gpu=True)


def site() -> AbstractContextManager[str]:
    """An empty page of a secure origin."""

    def empty(_: Request) -> PlainTextResponse:
        return PlainTextResponse("")

    return running(Starlette(routes=[Route("/", empty)]))


def _shortened(spec: Tiled) -> Tiled:
    """A cache no longer than what is measured."""
    if isinstance(spec, ProjectAppend):
        cache = replace(spec.append.cache, context=spec.linear.rows)
        return replace(spec, append=replace(spec.append, cache=cache))
    if not isinstance(spec, Attend):
        return spec
    return replace(spec, cache=replace(spec.cache, context=POSITION + spec.rows))


def _reason(error: Error) -> str:
    return error.message.splitlines()[0].removeprefix("Page.evaluate: ")


def _described(kernel: KernelFunction, shader: Shader) -> dict[str, Any]:
    """What MEASURE needs of a kernel."""
    sizes = {}
    for buffer in kernel.function.params:
        values = prod(int(extent) for extent in buffer.shape)
        lanes = 4 if str(buffer.dtype).endswith("x4") else 1
        sizes[str(buffer.name)] = values * lanes * 4
    buffers = [
        {"name": name, "bytes": sizes[name], "weight": name in ("codes", "scales"), "written": w}
        for name, w in zip(shader.arguments, shader.writable, strict=True)
    ]
    grid = list(kernel.grid)
    return {"code": shader.text, "entry": shader.entry, "buffers": buffers, "grid": grid}
