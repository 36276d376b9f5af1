"""MXFP4 experts in safetensors, against transformers' own decoder and values computed here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

from compiler.checkpoint.mxfp4 import Mxfp4Tensor
from compiler.checkpoint.open import open_checkpoint
from compiler.checkpoint.safetensors import SafetensorsFiles
from compiler.errors import CheckpointError
from compiler.graph.program import Source, Stacked, Transposed
from compiler.graph.quantize import KEEP, Coding
from compiler.quantize import Q8, dequantize
from tests.coverage.configs import tiny
from tests.unit.checkpoint.foreign import blocks, save_mxfp4

DOWN = "model.layers.0.mlp.experts.down_proj"
SHAPE = (3, 5, 64)  # E, N, K


def written(folder: Path, seed: int = 0, **exponents: int) -> tuple[Mxfp4Tensor, Any]:
    """A tensor of SHAPE in a file, and its values (E, K, N)."""
    made = blocks(np.random.default_rng(seed), SHAPE, **exponents)
    file = folder / "a.safetensors"
    save_file({"w_blocks": made[0], "w_scales": made[1]}, file)
    return Mxfp4Tensor(SafetensorsFiles([file]), "w"), made[2]


@pytest.mark.parametrize(("lowest", "highest"), [(118, 124), (104, 112), (141, 146), (0, 252)])
def test_values(tmp_path: Path, lowest: int, highest: int) -> None:
    tensor, expected = written(tmp_path, lowest=lowest, highest=highest)
    np.testing.assert_array_equal(tensor.load(), expected)
    stored = load_file(tmp_path / "a.safetensors")
    theirs = convert_moe_packed_tensors(stored["w_blocks"], stored["w_scales"])
    np.testing.assert_array_equal(tensor.load(), theirs.float().numpy())
    assert tensor.info.shape == expected.shape


@pytest.mark.parametrize(("lowest", "highest"), [(118, 124), (104, 112), (141, 146)])
def test_codes_are_carried_over(tmp_path: Path, lowest: int, highest: int) -> None:
    """From the smallest powers of two that f16 has to the largest that codes leave room for."""
    tensor, expected = written(tmp_path, lowest=lowest, highest=highest)
    codes = tensor.quantized()
    assert codes is not None
    assert codes.scheme == Q8
    assert codes.codes.min() > -128
    turned = expected.transpose(0, 2, 1).reshape(15, 64)
    np.testing.assert_array_equal(dequantize(codes), turned)


@pytest.mark.parametrize("exponent", [103, 147])
def test_scales_beyond_f16(tmp_path: Path, exponent: int) -> None:
    tensor, _ = written(tmp_path, lowest=exponent, highest=exponent)
    assert tensor.quantized() is None


def test_blocks_of_nothing_need_no_scale(tmp_path: Path) -> None:
    packed, scales, values = blocks(np.random.default_rng(0), SHAPE)
    packed[1, 2, 0], scales[1, 2, 0], values[1, :32, 2] = 0, 0, 0
    file = tmp_path / "a.safetensors"
    save_file({"w_blocks": packed, "w_scales": scales}, file)
    codes = Mxfp4Tensor(SafetensorsFiles([file]), "w").quantized()
    assert codes is not None
    np.testing.assert_array_equal(dequantize(codes), values.transpose(0, 2, 1).reshape(15, 64))


def test_kept_experts_lose_nothing(tmp_path: Path) -> None:
    expected = save_mxfp4(tmp_path, tiny("gpt_oss"))
    with open_checkpoint(str(tmp_path)) as checkpoint:
        info = checkpoint.info(DOWN)
        assert (info.shape, info.stored) == (expected[DOWN].shape, "MXFP4")
        coding = Coding(checkpoint, {}, KEEP)
        recipe = Stacked(Transposed(Source(DOWN)))
        matrix = coding.matrix(recipe, coding.scheme(recipe, info.shape[1]))
        turned = expected[DOWN].transpose(0, 2, 1).reshape(-1, info.shape[1])
        np.testing.assert_array_equal(dequantize(matrix), turned)
        np.testing.assert_array_equal(coding.values(recipe), turned)
        assert coding.losses == {}


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("scales", lambda t: t[..., 1:], r"blocks .* and scales .*, expected \(E, N, G, 16\)"),
        ("blocks", lambda t: t[..., 1:], r"blocks .*15\) and scales"),
        ("blocks", lambda t: t[0], "blocks"),
        ("scales", lambda t: t.float(), "down_proj_scales is float32, expected uint8"),
    ],
)
def test_damage_is_one_clear_error(tmp_path: Path, part: str, change: Any, message: str) -> None:
    save_mxfp4(tmp_path, tiny("gpt_oss"))
    file, name = tmp_path / "model.safetensors", f"{DOWN}_{part}"
    state = load_file(file)
    state[name] = change(state[name]).contiguous()
    save_file(state, file)
    checkpoint = open_checkpoint(str(tmp_path))
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(DOWN) if checkpoint.info(DOWN) else None


def test_blocks_without_scales(tmp_path: Path) -> None:
    save_mxfp4(tmp_path, tiny("gpt_oss"))
    file = tmp_path / "model.safetensors"
    state = {n: t for n, t in load_file(file).items() if not n.endswith("_scales")}
    save_file(state, file)
    with pytest.raises(CheckpointError, match="quantized with mxfp4, but none is"):
        open_checkpoint(str(tmp_path))
