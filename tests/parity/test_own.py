"""A user's own PyTorch in the browser against the same module in PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from compiler.checkpoint.open import open_checkpoint
from compiler.lower import targets
from tests.support import own_models
from tests.support.bundles import compile_bundle
from tests.support.gpu import assert_close
from tests.support.tiers import sampled
from tests.unit.checkpoint.tiny import write_tokenizer
from web.reference import Reference
from web.verify import BrowserEngine

PROMPT, STEPS = 20, 8
TOLERANCE = 4e-5  # of two layers, as in test_architectures.py
VARIANTS = ("f32", "wasm-threads-relaxed")
RECOMPUTED = ("written", "convolved")
NAMES = ("nano", "llama", "tables", "bigram", *RECOMPUTED, "exported")


def source_of(name: str, folder: Path) -> str:
    """A function of own_models.py, or a file of torch.export.save."""
    write_tokenizer(folder)
    if name != "exported":
        return f"{own_models.__file__}:{name}"
    ids = torch.zeros(1, 8, dtype=torch.long)
    rows = {1: torch.export.Dim.DYNAMIC}
    module = own_models.llama().eval()
    program = torch.export.export(module, (ids, ids), dynamic_shapes=(rows, rows))
    torch.export.save(program, folder / "llama.pt2")
    return str(folder / "llama.pt2")


SAMPLE = ("convolved", "exported")


@pytest.mark.parametrize("name", sampled(NAMES, SAMPLE))
def test_matches_pytorch(name: str, models: Path, engine: BrowserEngine, tmp_path: Path) -> None:
    source = source_of(name, tmp_path)
    bundle = compile_bundle(
        source,
        models / name,
        quantization="f32",
        context=32 if name in RECOMPUTED else None,
        tokenizer=tmp_path,
        targets=(targets.WEBGPU, targets.WASM),
    )
    recomputed = [note for note in bundle.manifest.notes if "from the whole prefix" in note]
    assert len(recomputed) == (name in RECOMPUTED)
    with open_checkpoint(source, tokenizer=tmp_path) as checkpoint:
        reference = Reference(checkpoint, bundle)
    ids = np.random.default_rng(7).integers(0, 256, PROMPT).tolist()
    expected = reference.generate(ids, STEPS)
    forced = [*ids, *expected]
    for variant in VARIANTS:
        engine.load(name, variant)
        found, wanted = engine.logits(forced, PROMPT - 1), reference.logits(forced, PROMPT - 1)
        assert_close(found, wanted, TOLERANCE, f"{name} on {variant}: logits")
        assert engine.generate(ids, STEPS) == expected
        assert engine.generate(forced[: PROMPT + 2], 3) == expected[2:5]


def test_a_context_shorter_than_what_is_recomputed(models: Path, engine: BrowserEngine) -> None:
    """The bundle of the test above: rows beyond the context repeat its last one."""
    module = own_models.convolved()
    ids = np.random.default_rng(8).integers(0, 256, 20)
    expected = module(torch.from_numpy(ids)[None])[0, 11:].detach().numpy()
    for variant in VARIANTS:
        engine.load("convolved", variant, 24)
        found = engine.logits(ids.tolist(), 11)
        assert_close(found, expected, TOLERANCE, f"24 positions on {variant}")
