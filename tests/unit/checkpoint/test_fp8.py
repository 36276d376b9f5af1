"""FP8 weights with scales of tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from compiler.checkpoint.open import open_checkpoint
from compiler.errors import CheckpointError, CompileError, UnsupportedModelError
from compiler.graph.program import Source
from compiler.graph.quantize import KEEP, Coding
from compiler.quantize import Q8
from tests.unit.checkpoint.foreign import write_config
from tests.unit.checkpoint.tiny import llama

NAME = "model.layers.0.mlp.down_proj.weight"  # (64, 96)


def save(directory: Path, tile: Any, scales: torch.Tensor) -> Any:
    """A tiny Llama with one FP8 weight; its values before they are scaled."""
    model = llama()
    state = {n: t.detach() for n, t in model.state_dict().items() if n != "lm_head.weight"}
    torch.manual_seed(1)
    state[NAME] = torch.randn(64, 96).to(torch.float8_e4m3fn)
    state[NAME + "_scale_inv"] = scales
    save_file(state, directory / "model.safetensors")
    settings = {"quant_method": "fp8", "weight_block_size": tile}
    write_config(directory, model.config.to_dict() | {"quantization_config": settings})
    return state[NAME].float().numpy()


def test_values_are_scaled_tile_by_tile_and_coded_anew(tmp_path: Path) -> None:
    scales = torch.arange(1, 7, dtype=torch.float32).reshape(2, 3) / 7
    plain = save(tmp_path, [48, 40], scales)  # neither fills the weight
    expected = plain.copy()
    for row in range(64):
        for column in range(96):
            expected[row, column] *= scales[row // 48, column // 40].item()
    checkpoint = open_checkpoint(str(tmp_path))
    np.testing.assert_array_equal(checkpoint.load(NAME), expected)
    assert checkpoint.quantized(NAME) is None
    assert NAME + "_scale_inv" not in checkpoint.names()
    coding = Coding(checkpoint, {}, KEEP)
    assert coding.scheme(Source(NAME), 96) == Q8
    coding.matrix(Source(NAME), Q8)
    assert 0 < coding.losses[Source(NAME)].relative < 0.01


def test_a_tile_wider_than_the_weight_takes_no_more_memory(tmp_path: Path) -> None:
    plain = save(tmp_path, [128, 10**12], torch.full((1, 1), 0.5))
    checkpoint = open_checkpoint(str(tmp_path))
    np.testing.assert_array_equal(checkpoint.load(NAME), plain * np.float32(0.5))
    assert checkpoint.info(NAME).stored == "FP8"


@pytest.mark.parametrize(
    ("tile", "error", "message"),
    [
        (None, UnsupportedModelError, "weight_block_size of two numbers"),
        ([128], UnsupportedModelError, r"says \[128\]"),
        ([0, 128], CheckpointError, r"names a weight_block_size of \[0, 128\]"),
        ([128, 128], CheckpointError, r"has shape \(2, 3\), expected \(1, 1\)"),
    ],
)
def test_other_tiles(tmp_path: Path, tile: Any, error: type[CompileError], message: str) -> None:
    save(tmp_path, tile, torch.ones(2, 3))
    with pytest.raises(error, match=message):
        open_checkpoint(str(tmp_path)).load(NAME)
