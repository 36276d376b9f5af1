"""Runs single CPU kernels as WebAssembly in the browser and brings their buffers back."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from playwright.sync_api import Browser

from compiler.bundle.schema import WASM_RESERVED, WASM_STACK
from compiler.kernels.dsl import KernelFunction
from compiler.kernels.sets import WASM
from compiler.lower.generic import Backend
from compiler.lower.wasm import Module, compile_module
from tests.support.exchange import Array, exchange, prepare

# The kernel runs as often as it has buffers, with each of them in turn at the very end of memory,
# where reading beyond it faults. What lies between the others, and after the workspace, is filled
# with 0xAB, so that a write is seen.
SCRIPT = """async ({ code, entry, buffers, first, workspace, items, shares }) => {
  const contents = buffers.map(bytes);
  const module = await WebAssembly.compile(bytes(code));
  const run = async (last) => {
    const gaps = [first + workspace];
    let end = Math.ceil((first + workspace) / 4096) * 4096 + 4096;
    const addresses = contents.map(({ length }, i) => {
      if (i === last) return 0;
      const address = end;
      gaps.push(address + length);
      end = Math.ceil((address + length) / 256) * 256 + 4096;
      return address;
    });
    const pages = Math.ceil((end + contents[last].length) / 65536);
    addresses[last] = pages * 65536 - contents[last].length;
    const memory = new WebAssembly.Memory({ initial: pages });
    const memoryBytes = new Uint8Array(memory.buffer).fill(0xab, first);
    contents.forEach((content, i) => memoryBytes.set(content, addresses[i]));
    const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
    exports.__stack_pointer.value = first;
    exports.set_workspace(first);
    for (let share = 0; share < shares; share++) {
      const begin = Math.floor((items * share) / shares);
      const stop = Math.floor((items * (share + 1)) / shares);
      const status = exports[entry](...addresses, begin, stop);
      if (status !== 0) throw new Error(`the kernel returned ${status}`);
    }
    for (const gap of gaps)
      if (memoryBytes.subarray(gap, gap + 256).some((byte) => byte !== 0xab))
        throw new Error(`the kernel wrote behind ${gap}; buffers are at ${addresses}`);
    return contents.map(({ length }, i) =>
      text64(memoryBytes.subarray(addresses[i], addresses[i] + length)));
  };
  let results = [];
  for (const last of contents.keys()) results = await run(last);
  return results;
}"""


class Wasm:
    """A page that runs kernels, each in a memory of its own and in two shares."""

    backend: Backend = "wasm"
    kernels = WASM
    half = False

    def __init__(self, browser: Browser, features: Sequence[str]) -> None:
        self._page = browser.new_page()
        prepare(self._page)
        self._features = features
        self._modules: dict[KernelFunction, Module] = {}

    def stored(self, cache: Array) -> Array:
        """A KV cache as its kernels keep it."""
        return cache

    def run(self, kernel: KernelFunction, arrays: dict[str, Array]) -> dict[str, Array]:
        """Runs `kernel` on copies of `arrays`, by argument name; returns all of them after."""
        if kernel not in self._modules:
            self._modules[kernel] = compile_module([kernel], self._features)
        module = self._modules[kernel]
        return exchange(
            self._page,
            SCRIPT,
            {name: arrays[name] for name in kernel.arguments},
            code=base64.b64encode(module.code).decode(),
            entry=kernel.name,
            first=WASM_RESERVED + WASM_STACK,
            workspace=module.workspace[kernel.name],
            items=kernel.grid[0],
            shares=2,
        )
