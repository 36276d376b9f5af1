"""Checkpoints that others quantized, in the browser against PyTorch on what their codes stand for.

The values are computed by whoever wrote the checkpoint, not by the compiler.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from compiler.checkpoint.open import open_checkpoint
from compiler.lower import targets
from tests.coverage.configs import tiny
from tests.support.bundles import compile_bundle
from tests.support.gpu import assert_close
from tests.support.tiers import sampled
from tests.unit.checkpoint import foreign, test_mlc
from tests.unit.checkpoint.foreign import Kind
from web.verify import BrowserEngine

Values = dict[str, npt.NDArray[np.float32]]


def mlc(folder: Path) -> Values:
    """A Llama in MLC's layout, of whole groups."""
    values = test_mlc.save(folder, "q4f16_1", inner=96)
    return {name: test_mlc.expected(value, "q4f16_1") for name, value in values.items()}


PROMPT, STEPS = 20, 8  # tokens for `prefill`, and then one at a time for `decode`
TOLERANCE = 8e-5  # tests/coverage/judge.py
VARIANTS = ("f32", "wasm", "wasm-relaxed")
CHECKPOINTS: dict[str, Callable[[Path], Values]] = {
    "awq": lambda folder: foreign.save(folder, Kind("awq")),
    "gptq": lambda folder: foreign.save(folder, Kind("gptq", group=32, act_order=True)),
    "mxfp4": lambda folder: foreign.save_mxfp4(folder, tiny("gpt_oss")),
    "mlc": mlc,
}


SAMPLE = ("mlc",)


@pytest.mark.parametrize("name", sampled(CHECKPOINTS, SAMPLE))
def test_matches_pytorch(name: str, models: Path, engine: BrowserEngine, tmp_path: Path) -> None:
    values = CHECKPOINTS[name](tmp_path)
    bundle = compile_bundle(tmp_path, models / name, targets=(targets.WEBGPU, targets.WASM))
    assert bundle.manifest.notes == []  # nothing was coded anew
    ids = np.random.default_rng(7).integers(0, 256, PROMPT + STEPS).tolist()
    expected = logits(tmp_path, values, ids)
    for variant in VARIANTS:
        engine.load(name, variant)
        found = engine.logits(ids, PROMPT - 1)
        assert_close(found, expected, TOLERANCE, f"{name} on {variant}")


def logits(source: Path, values: Values, ids: list[int]) -> npt.NDArray[np.float32]:
    """PyTorch's, of the checkpoint's plain tensors and the given values."""
    with open_checkpoint(str(source)) as checkpoint:
        config = checkpoint.config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    file = source / "model.safetensors"
    stored = load_file(file) if file.exists() else {}
    known = model.state_dict()
    state = {n: t.float() for n, t in stored.items() if n in known}
    state |= {name: torch.from_numpy(value) for name, value in values.items()}
    left = model.load_state_dict(state, strict=False)
    assert not left.unexpected_keys
    assert set(left.missing_keys) <= {"lm_head.weight"}  # tied
    model.tie_weights()
    with torch.inference_mode():
        found = model(input_ids=torch.tensor([ids])).logits[0, PROMPT - 1 :]
    return np.asarray(found.numpy())
