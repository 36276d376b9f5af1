"""Tiny models with the kernels of f16 on adapters without it, rounded as f16 after every step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compiler.build import build
from compiler.bundle.read import Bundle
from compiler.checkpoint.open import open_checkpoint
from compiler.kernels import sets
from compiler.lower import targets
from compiler.progress import SilentProgress
from tests.parity.architectures import save
from tests.parity.half import HALF_TOLERANCE, assert_greedy
from tests.support.gpu import assert_close
from tests.support.half import EMULATED
from web.reference import Reference
from web.verify import browser_engine

TARGET = targets.Target("emulated", "webgpu", sets.webgpu(EMULATED), 32, {"emulated": []})
PROMPT, STEPS = 40, 12  # more tokens than a chunk has


@pytest.mark.parametrize("name", ["llama", "gemma2"])
def test_matches_pytorch(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "TARGETS", (TARGET,))
    source, models = save(name, tmp_path / "checkpoint"), tmp_path / "models"
    bundle = build(
        str(source),
        output=models / name,
        quantization="q4",
        context=None,
        revision=None,
        progress=SilentProgress(),
    ).bundle
    with open_checkpoint(str(source)) as checkpoint:
        reference = Reference(checkpoint, Bundle.open(bundle))
    ids = np.random.default_rng(7).integers(0, 256, PROMPT).tolist()
    expected = reference.generate(ids, STEPS)
    forced = [*ids, *expected]
    wanted = reference.logits(forced, PROMPT - 1)
    with browser_engine(models) as engine:
        engine.load(name, "emulated")
        found = engine.logits(forced, PROMPT - 1)
        generated = engine.generate(ids, STEPS)
    assert_close(found, wanted, HALF_TOLERANCE, f"{name}: logits")
    assert np.abs(found - wanted).max() > 1e-4, "nothing was rounded"
    assert_greedy(generated, expected, wanted)
