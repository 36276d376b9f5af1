"""Encoders' vectors in the browser against transformers, on WebGPU and wasm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compiler.checkpoint.open import open_checkpoint
from compiler.lower import targets
from tests.parity.encoders import ENCODERS, save
from tests.support.bundles import compile_bundle
from tests.support.tiers import sampled
from web.similarity import EmbeddingReference
from web.verify import BrowserEngine

TARGETS = (targets.WEBGPU, targets.WASM)
VARIANTS = ("f32", "wasm-threads-relaxed")
# Two layers of at most 128 products each: the worst of all was 5e-7 of the vector's largest number.
TOLERANCE = 1e-5
TEXTS = (
    "he looked at the lighthouse and at the sea " * 2,
    "he",
    "",
    "he was here, there and everywhere " * 20,  # longer than any of them takes
    "h",  # after a long one: what is left of that is padding
)
OWN_ATTENTION = {"mpnet"}


SAMPLE = ("mpnet",)


@pytest.mark.parametrize("name", sampled(ENCODERS, SAMPLE))
def test_matches_pytorch(name: str, models: Path, tmp_path: Path, engine: BrowserEngine) -> None:
    source = save(ENCODERS[name], tmp_path / name)
    bundle = compile_bundle(source, models / name, quantization="f32", targets=TARGETS)
    embedding = bundle.manifest.embedding
    assert embedding is not None
    assert embedding.padded == (name in OWN_ATTENTION)
    assert (embedding.before, embedding.after) == ([257], [258])
    with open_checkpoint(str(source)) as checkpoint:
        reference = EmbeddingReference(checkpoint, bundle)
    expected = np.array([reference.vector(text) for text in TEXTS])
    for variant in VARIANTS:
        engine.load(name, variant)
        found, truncated = engine.embed(TEXTS)
        error = np.abs(found - expected).max(1) / np.abs(expected).max(1)
        assert float(error.max()) <= TOLERANCE, f"{variant}: text {int(error.argmax())}"
        assert truncated == [False, False, False, True, False]
