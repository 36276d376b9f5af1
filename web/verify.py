"""A bundle in a headless browser against PyTorch on the same weights: `llm-site verify`."""

from __future__ import annotations

import base64
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import uvicorn
from playwright.sync_api import Error, Page
from starlette.types import ASGIApp

from compiler.bundle.read import Bundle
from compiler.bundle.schema import Variant
from compiler.checkpoint.open import open_checkpoint
from web.browser import browser
from web.errors import SiteError
from web.reference import Reference
from web.server import create_app
from web.similarity import LEAST, LEAST_HALF, TEXTS, EmbeddingReference, Similarity, cosine

# Two f32 implementations that sum K products in different orders differ by about sqrt(K) epsilon,
# 3e-6 for K = 576, at every one of a model's products; over the 210 products of SmolLM2's 30 layers
# such errors add up like a random walk to 4e-5 of logits near 1 (5e-5 was seen). Five times that.
TOLERANCE = 2e-4
# In half precision two layers of random models came to 0.05 at worst (tests/parity/half.py), which
# after 30 layers is four times as much by the same walk.
HALF_TOLERANCE = 0.2
HALF = "shader-f16"

PROMPTS = (
    "The capital of France is",
    "def fibonacci(n):\n    ",
    "Once upon a time, in a village by the sea, there lived an old clockmaker who",
)

LOAD = """async ({ model, variant, context, tuned }) => {
  const { createEngine } = await import("/engine.js");
  globalThis.engine = await createEngine({ model, variant, context, tuned });
  return globalThis.engine.info;
}"""
FEATURES = """async () => {
  const adapter = await navigator.gpu?.requestAdapter();
  return adapter ? [...adapter.features] : [];
}"""
EVALUATE = """async ({ ids, first }) => {
  const logits = await engine.evaluate(ids, first);
  const bytes = new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength);
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768)
    text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}"""
EMBED = """async (request) => {
  const { data } = await engine.embeddings.create(request);
  const vectors = data.map(({ embedding }) => [...embedding]);
  return { vectors, truncated: data.map(({ truncated }) => truncated) };
}"""


class BrowserEngine:
    """The engine in a page, called from Python."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self._address = address

    def load(
        self, name: str, variant: str, context: int | None = None, *, tuned: bool = True
    ) -> dict[str, Any]:
        """Loads models/<name>; returns the engine's `info`. Without `tuned`, kernels for any device
        run even where there are some for this adapter's vendor."""
        self.page.goto(f"{self._address}/healthz")  # any page of the origin, without its script
        options: dict[str, Any] = {"model": f"/models/{name}/", "variant": variant, "tuned": tuned}
        if context is not None:
            options["context"] = context
        try:
            info: dict[str, Any] = self.page.evaluate(LOAD, options)
        except Error as error:
            reason = error.message.splitlines()[0].removeprefix("Page.evaluate: ")
            raise SiteError(f"the browser cannot load {name}: {reason}") from error
        return info

    def lacks(self, features: Sequence[str]) -> list[str]:
        """Those of a WebGPU variant's features that the graphics adapter does not have."""
        self.page.goto(f"{self._address}/healthz")
        found = self.page.evaluate(FEATURES)
        return [name for name in features if name not in found]

    def tokenize(self, text: str) -> list[int]:
        ids: list[int] = self.page.evaluate("(text) => engine.tokenize(text)", text)
        return ids

    def generate(self, ids: list[int], count: int, speculation: str = "auto") -> list[int]:
        """Greedy continuation."""
        call = "(arguments) => engine.generate(...arguments)"
        out: list[int] = self.page.evaluate(call, [ids, count, speculation])
        return out

    def embed(
        self, texts: Sequence[str], prompt: str | None = None
    ) -> tuple[npt.NDArray[np.float32], list[bool]]:
        """An embedder's vectors, (texts, dimensions), and which texts were cut."""
        named = {} if prompt is None else {"prompt": prompt}
        found = self.page.evaluate(EMBED, {"input": list(texts), **named})
        return np.array(found["vectors"], np.float32), list(found["truncated"])

    def logits(self, ids: list[int], first: int) -> npt.NDArray[np.float32]:
        """Logits after each of ids[first:] under forced decoding."""
        encoded = self.page.evaluate(EVALUATE, {"ids": ids, "first": first})
        flat = np.frombuffer(base64.b64decode(encoded), np.float32)
        return flat.reshape(len(ids) - first, -1)


def serving(models: Path) -> AbstractContextManager[str]:
    """The site with `models`, on a free port of this machine; gives its address."""
    return running(create_app(models))


@contextmanager
def running(application: ASGIApp) -> Iterator[str]:
    """Serves an application on a free port of this machine; yields the address."""
    config = uvicorn.Config(application, host="127.0.0.1", port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def browser_engine(models: Path) -> Iterator[BrowserEngine]:
    """A server and a headless browser with a page on it."""
    with serving(models) as address, browser() as chromium:
        page = chromium.new_page()
        page.set_default_timeout(0)
        yield BrowserEngine(page, address)


@dataclass(frozen=True)
class Comparison:
    """One prompt in the browser and in PyTorch."""

    prompt: str
    expected: list[int]  # greedy tokens of PyTorch
    got: list[int]
    worst: float  # largest difference between logits, relative to max(1, |expected|)
    worst_at: tuple[int, int]  # position, token
    worst_values: tuple[float, float]  # expected, got
    tolerance: float = TOLERANCE
    # By how much PyTorch prefers its own token to the first that differs; 0 where none does.
    margin: float = 0.0

    @property
    def first_difference(self) -> int | None:
        """Index of the first greedy token that differs."""
        pairs = enumerate(zip(self.expected, self.got, strict=True))
        return next((i for i, (a, b) in pairs if a != b), None)

    @property
    def passed(self) -> bool:
        """In half precision, either of two tokens that are as good will do."""
        close = self.tolerance == HALF_TOLERANCE and self.margin <= self.tolerance
        return self.worst <= self.tolerance and (self.first_difference is None or close)

    def describe(self) -> str:
        """A line for people: the verdict, the greedy tokens, the worst logit."""
        verdict = "agrees" if self.passed else "DIFFERS"
        tokens = f"{len(self.expected)} greedy tokens equal"
        if (index := self.first_difference) is not None:
            tokens = f"token {index} is {self.got[index]}, PyTorch's is {self.expected[index]}"
        wanted, found = self.worst_values
        position, token = self.worst_at
        return (
            f"{verdict}: {self.prompt!r}: {tokens}; largest relative error of a logit "
            f"{self.worst:.2g} (tolerance {self.tolerance:g}) at position {position}, "
            f"token {token}: expected {wanted:.6g}, got {found:.6g}"
        )


@dataclass(frozen=True)
class NotRun:
    """A variant that this machine's graphics adapter cannot run."""

    lacking: list[str]
    passed = True

    def describe(self) -> str:
        """A line for people."""
        return f"not run: the graphics adapter lacks {', '.join(self.lacking)}"


def compare(
    engine: BrowserEngine,
    reference: Reference,
    prompt: str,
    count: int,
    tolerance: float = TOLERANCE,
) -> Comparison:
    """Greedy decoding of `count` tokens, and logits at the positions it passes through."""
    ids = engine.tokenize(prompt)
    expected, got = reference.generate(ids, count), engine.generate(ids, count)
    return compare_logits(engine, reference, prompt, ids, expected, got, tolerance)


def compare_logits(
    engine: BrowserEngine,
    reference: Reference,
    prompt: str,
    ids: list[int],
    expected: list[int],
    got: list[int],
    tolerance: float = TOLERANCE,
) -> Comparison:
    """Forced decoding along PyTorch's own tokens."""
    forced = [*ids, *expected]
    wanted = reference.logits(forced, len(ids) - 1)
    found = engine.logits(forced, len(ids) - 1)
    error = np.abs(found - wanted) / np.maximum(1, np.abs(wanted))
    error = np.where(np.isfinite(found), error, np.inf)
    pairs = enumerate(zip(expected, got, strict=True))
    margins = [float(wanted[i, a] - wanted[i, b]) for i, (a, b) in pairs if a != b]
    row, token = (int(i) for i in np.unravel_index(int(error.argmax()), error.shape))
    return Comparison(
        prompt,
        expected,
        got,
        float(error[row, token]),
        (len(ids) - 1 + row, token),
        (float(wanted[row, token]), float(found[row, token])),
        tolerance,
        margins[0] if margins else 0.0,
    )


def verify(
    bundle: Path,
    source: str,
    *,
    variants: Sequence[str] = (),
    prompts: Sequence[str] = PROMPTS,
    count: int = 32,
    revision: str | None = None,
) -> Iterator[tuple[str, Comparison | Similarity | NotRun]]:
    """Compares `bundle` with its `source`: each variant, each prompt, or an embedder's vectors of
    some texts. By default all variants that the graphics adapter has the features for. Where there
    are kernels tuned for the adapter's vendor, those for any device run as well.

    Raises SiteError for a variant the bundle lacks.
    """
    opened = Bundle.open(bundle)
    known = list(opened.manifest.variants)
    for variant in variants:
        if variant not in known:
            raise SiteError(f"{bundle} has no variant {variant}; it has {', '.join(known)}")
    with (
        open_checkpoint(source, revision) as checkpoint,
        browser_engine(bundle.absolute().parent) as engine,
    ):
        if opened.manifest.embedding is None:
            examination: _Examination = _Answers(Reference(checkpoint, opened), prompts, count)
        else:
            examination = _Vectors(EmbeddingReference(checkpoint, opened))
        for variant in variants or known:
            needed = opened.manifest.variants[variant]
            features = needed.requires.features if needed.backend == "webgpu" else []
            if not variants and (lacking := engine.lacks(features)):
                yield variant, NotRun(lacking)
                continue
            context = min(opened.manifest.context, examination.longest)
            for label in _loaded(engine, bundle.absolute().name, variant, needed, context):
                for result in examination.results(engine, half=HALF in features):
                    yield label, result


class _Examination(Protocol):
    """What one loaded variant is asked."""

    @property
    def longest(self) -> int:
        """Tokens that it takes at most."""
        ...

    def results(
        self, engine: BrowserEngine, *, half: bool
    ) -> Iterator[Comparison | Similarity]: ...


@dataclass(frozen=True)
class _Answers:
    reference: Reference
    prompts: Sequence[str]
    count: int

    @property
    def longest(self) -> int:
        """A token is at least one byte of text."""
        return max(len(prompt.encode()) for prompt in self.prompts) + self.count + 1

    def results(self, engine: BrowserEngine, *, half: bool) -> Iterator[Comparison]:
        tolerance = HALF_TOLERANCE if half else TOLERANCE
        for prompt in self.prompts:
            yield compare(engine, self.reference, prompt, self.count, tolerance)


@dataclass(frozen=True)
class _Vectors:
    reference: EmbeddingReference
    longest: int = sys.maxsize  # its limit is part of the model

    def results(self, engine: BrowserEngine, *, half: bool) -> Iterator[Similarity]:
        for text in TEXTS:
            found = engine.embed([text])[0][0]
            close = cosine(found, self.reference.vector(text))
            yield Similarity(text, close, LEAST_HALF if half else LEAST)


def _loaded(
    engine: BrowserEngine, name: str, variant: str, needed: Variant, context: int
) -> Iterator[str]:
    """Loads a variant with its kernels for any device, then with those tuned for the adapter's
    vendor, if it has any; what to call each."""
    engine.load(name, variant, context, tuned=False)
    yield variant
    if needed.tuned and (vendor := engine.load(name, variant, context)["tuned"]) is not None:
        yield f"{variant}, tuned for {vendor}"
