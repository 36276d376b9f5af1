"""A real model: SmolLM2-135M-Instruct, with the GGUF file's own codes, against transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from compiler.bundle.read import Bundle
from compiler.checkpoint.open import open_checkpoint
from tests.other_browsers.conftest import Kind
from tests.other_browsers.engine import TabEngine
from tests.other_browsers.tab import Tab
from tests.support.smollm2 import smollm2_gguf
from web.reference import Reference
from web.verify import PROMPTS, serving

THREADS = 2
STEPS = 32

Continuation = Callable[[tuple[int, ...]], list[int]]


@pytest.fixture(scope="module")
def continuation(smollm2_bundle: Path) -> Continuation:
    """PyTorch's STEPS likeliest tokens after some; computed once for all browsers."""
    with open_checkpoint(str(smollm2_gguf())) as checkpoint:
        reference = Reference(checkpoint, Bundle.open(smollm2_bundle))
    return cache(lambda ids: reference.generate(list(ids), STEPS))


@pytest.fixture(scope="module")
def address(smollm2_bundle: Path) -> Iterator[str]:
    with serving(smollm2_bundle.parent) as address:
        yield address


def test_greedy_tokens(
    kind: Kind, tab: Tab, address: str, smollm2_bundle: Path, continuation: Continuation
) -> None:
    model = f"/models/{smollm2_bundle.name}/"
    engine = TabEngine(tab, address, model=model, threads=THREADS, context=512)
    assert (engine.info["backend"], engine.info["threads"] > 1) == ("wasm", kind.threads)
    for prompt in PROMPTS:
        ids = engine.tokenize(prompt)
        assert engine.generate(ids, STEPS) == continuation(tuple(ids)), prompt
