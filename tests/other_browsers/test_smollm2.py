"""A real model: SmolLM2-135M-Instruct, with the GGUF file's own codes, against transformers."""

from __future__ import annotations

from collections.abc import Iterator
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


@pytest.fixture(scope="module")
def reference(smollm2_bundle: Path) -> Reference:
    with open_checkpoint(str(smollm2_gguf())) as checkpoint:
        return Reference(checkpoint, Bundle.open(smollm2_bundle))


@pytest.fixture(scope="module")
def address(smollm2_bundle: Path) -> Iterator[str]:
    with serving(smollm2_bundle.parent) as address:
        yield address


def test_greedy_tokens(
    kind: Kind, tab: Tab, address: str, smollm2_bundle: Path, reference: Reference
) -> None:
    model = f"/models/{smollm2_bundle.name}/"
    engine = TabEngine(tab, address, model=model, threads=THREADS, context=512)
    assert (engine.info["backend"], engine.info["threads"] > 1) == ("wasm", kind.threads)
    for prompt in PROMPTS:
        ids = engine.tokenize(prompt)
        assert engine.generate(ids, STEPS) == reference.generate(ids, STEPS), prompt
