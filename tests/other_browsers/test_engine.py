"""The same numbers as PyTorch's, whatever engine compiles the WebAssembly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compiler.bundle.read import Bundle
from compiler.checkpoint.open import open_checkpoint
from tests.other_browsers.conftest import Kind
from tests.other_browsers.engine import TabEngine
from tests.other_browsers.tab import Tab
from tests.support.gpu import assert_close
from web.reference import Reference
from web.verify import TOLERANCE

THREADS = 2
STEPS = 24
SHORT = "the kiln"
# More tokens than the largest chunk of a prompt, and not a multiple of it.
LONG = "the potter throws the clay and fires the kiln while the rain falls on the roof. " * 6


@pytest.fixture(scope="module")
def reference(checkpoint: Path, bundle: Path) -> Reference:
    with open_checkpoint(str(checkpoint)) as opened:
        return Reference(opened, Bundle.open(bundle))


@pytest.fixture(scope="module")
def engine(tab: Tab, site: str, bundle: Path) -> Iterator[TabEngine]:
    yield TabEngine(tab, site, model=f"/models/{bundle.name}/", threads=THREADS)
    tab.run("await engine.dispose();")


def test_threads_where_the_browser_shares_memory(kind: Kind, engine: TabEngine) -> None:
    assert engine.info["backend"] == "wasm"
    assert engine.info["threads"] == (THREADS if kind.threads else 1)
    assert ("threads" in engine.info["report"]["webassembly"]) == kind.threads


@pytest.mark.parametrize("prompt", [SHORT, LONG], ids=["short", "long"])
def test_greedy_tokens(prompt: str, reference: Reference, engine: TabEngine) -> None:
    ids = engine.tokenize(prompt)
    assert engine.generate(ids, STEPS) == reference.generate(ids, STEPS)


def test_logits_under_forced_decoding(reference: Reference, engine: TabEngine) -> None:
    ids = engine.tokenize(LONG)
    first = len(ids) - STEPS
    assert_close(engine.logits(ids, first), reference.logits(ids, first), TOLERANCE, "logits")
