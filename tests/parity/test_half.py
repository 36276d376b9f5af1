"""Tiny models with the kernels of f16 on adapters without it, rounded as f16 after every step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compiler.checkpoint.open import open_checkpoint
from compiler.kernels import sets
from compiler.lower import targets
from tests.parity.architectures import save
from tests.parity.half import HALF_TOLERANCE, assert_greedy
from tests.support.bundles import compile_bundle
from tests.support.gpu import assert_close
from tests.support.half import EMULATED
from tests.support.tiers import sampled
from web.reference import Reference
from web.verify import BrowserEngine

TARGET = targets.Target("emulated", "webgpu", sets.webgpu(EMULATED), 32, {"emulated": []})
PROMPT, STEPS = 40, 12  # more tokens than a chunk has


@pytest.mark.parametrize("name", sampled(["llama", "gemma2"], ["gemma2"]))
def test_matches_pytorch(name: str, models: Path, engine: BrowserEngine, tmp_path: Path) -> None:
    source = save(name, tmp_path / "checkpoint")
    bundle = compile_bundle(source, models / name, quantization="q4", targets=(TARGET,))
    with open_checkpoint(str(source)) as checkpoint:
        reference = Reference(checkpoint, bundle)
    ids = np.random.default_rng(7).integers(0, 256, PROMPT).tolist()
    expected = reference.generate(ids, STEPS)
    forced = [*ids, *expected]
    wanted = reference.logits(forced, PROMPT - 1)
    engine.load(name, "emulated")
    found = engine.logits(forced, PROMPT - 1)
    generated = engine.generate(ids, STEPS)
    assert_close(found, wanted, HALF_TOLERANCE, f"{name}: logits")
    assert np.abs(found - wanted).max() > 1e-4, "nothing was rounded"
    assert_greedy(generated, expected, wanted)
