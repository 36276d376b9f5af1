"""compressed-tensors' "pack-quantized" weights, packed by the test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from compiler.checkpoint.open import open_checkpoint
from compiler.errors import CheckpointError, UnsupportedModelError
from compiler.quantize import dequantize
from tests.unit.checkpoint.foreign import words, write_config
from tests.unit.checkpoint.tiny import llama

NAME = "model.layers.0.mlp.down_proj.weight"  # (64, 96)


def save(folder: Path, bits: int, symmetric: bool, form: str = "pack-quantized") -> Any:
    """A tiny Llama with one packed weight, three groups of 32 in an order of their own; values."""
    model = llama()
    state = {n: t.detach() for n, t in model.state_dict().items() if n != "lm_head.weight"}
    del state[NAME]
    random = np.random.default_rng(2)
    half = 2 ** (bits - 1)
    signed = random.integers(1 - half, half, (64, 96))
    zeros = np.zeros((64, 3), int) if symmetric else random.integers(-half, half, (64, 3))
    scales = torch.from_numpy(random.uniform(0.001, 0.01, (64, 3))).bfloat16()
    groups = random.permutation(np.arange(96) // 32)
    state[f"{NAME}_packed"] = words(signed + half, bits)
    state[f"{NAME}_scale"] = scales
    state[f"{NAME}_g_idx"] = torch.from_numpy(groups.astype(np.int32))
    state[f"{NAME}_shape"] = torch.tensor([64, 96])
    if not symmetric:
        state[f"{NAME}_zero_point"] = words((zeros + half).T, bits).T.contiguous()
    save_file(state, folder / "model.safetensors")
    weights = {"num_bits": bits, "symmetric": symmetric, "group_size": 32}
    settings = {"format": form, "config_groups": {"group_0": {"weights": weights}}}
    settings["quant_method"] = "compressed-tensors"
    write_config(folder, model.config.to_dict() | {"quantization_config": settings})
    values = (signed - zeros[:, groups]).astype(np.float32)
    return values * scales.float().numpy()[:, groups]


@pytest.mark.parametrize(("bits", "symmetric"), [(4, True), (4, False), (8, True)])
def test_codes_are_carried_over(tmp_path: Path, bits: int, symmetric: bool) -> None:
    expected = save(tmp_path, bits, symmetric)
    checkpoint = open_checkpoint(str(tmp_path))
    info, codes = checkpoint.info(NAME), checkpoint.quantized(NAME)
    np.testing.assert_array_equal(checkpoint.load(NAME), expected)
    assert codes is not None
    assert (codes.scheme.bits, codes.scheme.has_minimum) == (bits, not symmetric)
    assert info.order is not None
    assert not info.rounded
    np.testing.assert_array_equal(dequantize(codes), expected[:, info.order])
    assert not [name for name in checkpoint.names() if name.startswith(NAME) and name != NAME]


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("_scale", lambda t: t[1:], r"_scale has shape \(63, 3\), which does not fit 64 rows"),
        ("_scale", None, "or no .*_scale beside it"),
        ("_zero_point", lambda t: t[1:], r"_zero_point is int32 \(7, 3\), expected int32 \(8, 3\)"),
        ("_g_idx", lambda t: t + 1, "inputs of group 1 to 3, but 3 groups"),
        ("_packed", lambda t: t[0], r"_packed has shape \(12,\)"),
    ],
)
def test_damage_is_one_clear_error(tmp_path: Path, part: str, change: Any, message: str) -> None:
    save(tmp_path, 4, symmetric=False)
    file = tmp_path / "model.safetensors"
    state = load_file(file)
    found = state.pop(NAME + part)
    if change is not None:
        state[NAME + part] = change(found).contiguous()
    save_file(state, file)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(str(tmp_path)).info(NAME)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config_groups": {"g": {"weights": {"num_bits": [4]}}}}, r"with \['\[4\]'\] bits"),
        ({"quant_method": ["a"]}, r"quantized with \['a'\] cannot be read"),
        ({"quant_method": "gptq", "bits": 4.0}, "GPTQ with 4.0 bits"),
    ],
)
def test_settings_that_are_none(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    save(tmp_path, 4, symmetric=True)
    file = tmp_path / "config.json"
    config = json.loads(file.read_text())
    config["quantization_config"] |= change
    file.write_text(json.dumps(config))
    with pytest.raises(UnsupportedModelError, match=message):
        open_checkpoint(str(tmp_path))


def test_other_formats_are_named(tmp_path: Path) -> None:
    save(tmp_path, 4, symmetric=True, form="marlin-24")
    with pytest.raises(UnsupportedModelError, match=r"the format 'marlin-24' with \['4'\] bits"):
        open_checkpoint(str(tmp_path))
