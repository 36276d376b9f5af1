"""`make budgets`: what the page costs its visitor, seen from outside.

A headless Chromium opens the chat page on a local server, loads the default model and asks for
words. Payload is what the server sent until the answer was there, compressed as it was sent (with
Brotli) and as it would have been with gzip, without weights, tokenizer and manifest, nor what the
page asks for only once the model is ready, so as not to be in its way.
Device memory is what the engine's worker asked the browser for: WebGPU buffers that are alive, or
the pages of linear memory.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser
from rich.console import Console
from rich.table import Table
from starlette.responses import Response
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from compiler.bundle.read import Bundle
from tests.browser.chat_page import ChatPage, visit
from web.browser import browser
from web.server import create_app
from web.verify import running

BUNDLE = Path("models/smollm2-135m-instruct")
PAYLOAD = 150_000  # bytes
MEMORY = 1.10  # times weights and KV cache
IN_FLIGHT = 4  # shards: MAX_IN_FLIGHT in static/src/load/files.ts, held to by weights.test.ts
HELD = 96 * 2**20  # bytes of shards on the JavaScript side
FREE = ("/weights/", "/tokenizer/", "/manifest.json")  # what the payload leaves out

LATER = ("/growing-markdown-", "/offline-")  # asked for when the model is ready

WATCH = """if (globalThis.WorkerGlobalScope) {
  const watched = (globalThis.watched = { gpu: 0, most: 0, memories: [] });
  if (globalThis.GPUDevice) {
    const { createBuffer } = GPUDevice.prototype;
    const { destroy } = GPUBuffer.prototype;
    const alive = new Set();
    GPUDevice.prototype.createBuffer = function (descriptor) {
      const buffer = createBuffer.call(this, descriptor);
      alive.add(buffer);
      watched.gpu += buffer.size;
      watched.most = Math.max(watched.most, watched.gpu);
      return buffer;
    };
    GPUBuffer.prototype.destroy = function () {
      if (alive.delete(this)) watched.gpu -= this.size;
      return destroy.call(this);
    };
  }
  const { Memory } = WebAssembly;
  WebAssembly.Memory = function (descriptor) {
    const memory = new Memory(descriptor);
    watched.memories.push(memory);
    return memory;
  };
  WebAssembly.Memory.prototype = Memory.prototype;
}"""
SEEN = """() => ({
  gpu: watched.gpu,
  most: watched.most,
  wasm: watched.memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0),
})"""


class CountBytes:
    """Adds up the bytes of every answer's body, by path, as they leave."""

    def __init__(self, app: ASGIApp, refused: Collection[str] = ()) -> None:
        self._app = app
        self._refused = refused  # parts of paths; nothing follows from what does not arrive
        self.sent: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if any(part in scope.get("path", "") for part in self._refused):
            await Response(status_code=404)(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.body":
                self.sent[scope["path"]] += len(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, counted if scope["type"] == "http" else send)


@dataclass(frozen=True)
class Budget:
    """One figure and what it may be, in bytes."""

    name: str
    used: int
    allowed: int

    @property
    def holds(self) -> bool:
        return self.used <= self.allowed


def budgets(bundle: Bundle, name: str, variant: str, chromium: Browser) -> list[Budget]:
    """The figures of one variant of models/<name>."""
    app = create_app(bundle.path.parent)
    site = CountBytes(app, LATER)
    with running(site) as address, visit(chromium, address) as chat:
        _answer(chat, name, variant)
        sent = dict(site.sent)
        assert chat.problems != [], "nothing came later"
    with running(app) as address, visit(chromium, address) as chat:
        chat.inject(WATCH)
        _answer(chat, name, variant)
        seen = chat.worker.evaluate(SEEN)
    manifest = bundle.manifest
    memory = manifest.variants[variant].memory
    state = memory.state_base + manifest.default_context * memory.state_per_token
    used = seen["most" if manifest.variants[variant].backend == "webgpu" else "wasm"]
    shards = [f.bytes for path, f in manifest.files.items() if path.startswith("weights/")]
    return [
        Budget("payload", payload(sent), PAYLOAD),
        Budget("payload with gzip", payload(with_gzip(app, sent)), PAYLOAD),
        Budget("device memory", used, round(MEMORY * (memory.weights + state))),
        Budget("shards held", IN_FLIGHT * max(shards), HELD),
    ]


def _answer(chat: ChatPage, name: str, variant: str) -> None:
    query = urlencode({"model": name, "variant": variant, "threads": 2})
    chat.page.goto(f"{chat.address}/?{query}")
    chat.start()
    chat.configure(temperature=0, max_tokens=4)
    chat.ask("Hi")
    assert chat.strangers() == []


def with_gzip(app: ASGIApp, paths: Iterable[str]) -> dict[str, int]:
    """The same answers' bytes for a browser that knows gzip alone."""
    client = TestClient(app)
    headers = {"Accept-Encoding": "gzip"}

    def size(path: str) -> int:
        with client.stream("GET", path, headers=headers) as answer:
            return sum(len(part) for part in answer.iter_raw())

    return {path: size(path) for path in paths}


def payload(sent: Mapping[str, int]) -> int:
    """Bytes that are neither weights nor tokenizer nor manifest, of those sent by path."""
    return sum(count for path, count in sent.items() if not any(part in path for part in FREE))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--variant", action="append", help="default: f32 and wasm-threads-relaxed")
    options = parser.parse_args()
    bundle = Bundle.open(options.bundle)
    table = Table("variant", "budget", "bytes", "allowed", "share")
    kept = True
    with browser() as chromium:
        for variant in options.variant or ["f32", "wasm-threads-relaxed"]:
            for each in budgets(bundle, options.bundle.name, variant, chromium):
                share = f"{each.used / each.allowed:.0%}"
                table.add_row(variant, each.name, f"{each.used:,}", f"{each.allowed:,}", share)
                kept = kept and each.holds
    Console().print(table)
    raise SystemExit(0 if kept else "a budget is exceeded")


if __name__ == "__main__":
    main()
