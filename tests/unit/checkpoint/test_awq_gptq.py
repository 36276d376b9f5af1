"""AWQ and GPTQ checkpoints, whose values are computed here without the compiler."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from compiler.bundle.schema import Scheme
from compiler.checkpoint.open import open_checkpoint
from compiler.errors import CheckpointError, UnsupportedModelError
from compiler.graph.program import Rows, Sorted, Source
from compiler.graph.quantize import KEEP, Coding
from compiler.quantize import Q4, Q4_ZERO, Q8, dequantize
from tests.unit.checkpoint.foreign import Kind, save

DOWN = "model.layers.1.mlp.down_proj.weight"  # (128, 256)
GATE, UP = (f"model.layers.0.mlp.{name}_proj.weight" for name in ("gate", "up"))


def of(scheme: Scheme, group: int) -> Scheme:
    return replace(scheme, group=group)


KINDS = [
    (Kind("awq"), of(Q4_ZERO, 128)),
    (Kind("awq", group=64), of(Q4_ZERO, 64)),
    (Kind("awq", group=32), Q4_ZERO),
    (Kind("awq", group=-1), of(Q4_ZERO, 256)),
    (Kind("awq", symmetric=True), of(Q4, 128)),
    (Kind("gptq"), of(Q4_ZERO, 128)),
    (Kind("gptq", symmetric=True), of(Q4, 128)),
    (Kind("gptq", v2=True, group=64), of(Q4_ZERO, 64)),
    (Kind("gptq", act_order=True), of(Q4_ZERO, 128)),
    (Kind("gptq", act_order=True, symmetric=True, group=32), Q4),
    (Kind("gptq", bits=8, symmetric=True), of(Q8, 128)),
    (Kind("gptq", bits=8, symmetric=True, act_order=True, v2=True), of(Q8, 128)),
    (Kind("gptq", bits=2, group=64), of(Q4_ZERO, 64)),
]


@pytest.mark.parametrize(("kind", "scheme"), KINDS)
def test_codes_are_carried_over(tmp_path: Path, kind: Kind, scheme: Scheme) -> None:
    expected = save(tmp_path, kind)
    with open_checkpoint(str(tmp_path)) as checkpoint:
        assert set(expected) < set(checkpoint.names())
        for name, values in expected.items():
            np.testing.assert_array_equal(checkpoint.load(name), values)
        info, codes = checkpoint.info(DOWN), checkpoint.quantized(DOWN)
        assert codes is not None
        assert (info.shape, info.stored) == ((128, 256), f"{kind.method.upper()}-{kind.bits}")
        assert codes.scheme == info.scheme == scheme
        assert (info.order is not None) == kind.act_order
        assert not info.rounded
        order = np.arange(256) if info.order is None else info.order
        np.testing.assert_array_equal(dequantize(codes), expected[DOWN][:, order])
        assert checkpoint.quantized("model.embed_tokens.weight") is None


@pytest.mark.parametrize("act_order", [False, True])
def test_kept_matrices_lose_nothing(tmp_path: Path, act_order: bool) -> None:
    expected = save(tmp_path, Kind("gptq", act_order=act_order))
    coding = Coding(open_checkpoint(str(tmp_path)), {}, KEEP)
    order = coding.order(Source(DOWN))
    assert (order is not None) == act_order
    recipe = Source(DOWN) if order is None else Sorted(Source(DOWN))
    matrix = coding.matrix(recipe, coding.scheme(recipe, 256))
    values = expected[DOWN] if order is None else expected[DOWN][:, order]
    np.testing.assert_array_equal(dequantize(matrix), values)
    np.testing.assert_array_equal(coding.values(recipe), values)
    assert coding.losses == {}


def test_only_layers_of_one_order_are_stacked(tmp_path: Path) -> None:
    expected = save(tmp_path, Kind("gptq", act_order=True, group=32))
    both = Rows((Source(GATE), Source(UP)))
    coding = Coding(open_checkpoint(str(tmp_path)), {}, KEEP)
    assert coding.same([Source(GATE), Source(UP)])
    order = coding.order(both)
    assert order is not None
    recipe = Rows((Sorted(Source(GATE)), Sorted(Source(UP))))
    stacked = np.concatenate([expected[GATE], expected[UP]])[:, order]
    np.testing.assert_array_equal(dequantize(coding.matrix(recipe, Q4_ZERO)), stacked)
    file = tmp_path / "model.safetensors"
    state = load_file(file)
    state[UP.replace("weight", "g_idx")] = state[UP.replace("weight", "g_idx")].roll(1)
    save_file(state, file)
    coding = Coding(open_checkpoint(str(tmp_path)), {}, KEEP)
    assert not coding.same([Source(GATE), Source(UP)])
    assert coding.order(both) is None


def test_out_of_order_codes_are_coded_anew_where_inputs_cannot_be_sorted(tmp_path: Path) -> None:
    expected = save(tmp_path, Kind("gptq", act_order=True))
    coding = Coding(open_checkpoint(str(tmp_path)), {}, KEEP)
    matrix = coding.matrix(Source(DOWN), coding.scheme(Source(DOWN), 256))
    relative = coding.losses[Source(DOWN)].relative
    error = np.linalg.norm(dequantize(matrix) - expected[DOWN]) / np.linalg.norm(expected[DOWN])
    assert relative == pytest.approx(float(error), rel=1e-5)
    assert 0 < relative < 0.15


def test_eight_bit_codes_that_kernels_lack_are_coded_anew(tmp_path: Path) -> None:
    save(tmp_path, Kind("gptq", bits=8, symmetric=True))
    file = tmp_path / "model.safetensors"
    state = load_file(file)
    state[DOWN.replace("weight", "qweight")][0, 0] &= ~0xFF  # a code of 0, which stands for -128
    save_file(state, file)
    checkpoint = open_checkpoint(str(tmp_path))
    assert checkpoint.quantized(DOWN) is None
    coding = Coding(checkpoint, {}, KEEP)
    coding.matrix(Source(DOWN), coding.scheme(Source(DOWN), 256))
    assert 0 < coding.losses[Source(DOWN)].relative < 0.01


def test_scales_that_f16_rounds_are_said_to_be(tmp_path: Path) -> None:
    expected = save(tmp_path, Kind("awq"))
    file = tmp_path / "model.safetensors"
    state = load_file(file)
    scales = state[DOWN.replace("weight", "scales")]
    state[DOWN.replace("weight", "scales")] = scales.float() * 1.0001
    save_file(state, file)
    checkpoint = open_checkpoint(str(tmp_path))
    assert checkpoint.info(DOWN).rounded
    np.testing.assert_allclose(
        checkpoint.load(DOWN), expected[DOWN] * np.float32(1.0001), rtol=1e-6
    )
    coding = Coding(checkpoint, {}, KEEP)
    coding.matrix(Source(DOWN), coding.scheme(Source(DOWN), 256))
    assert 0 < coding.losses[Source(DOWN)].relative < 2e-4


def test_groups_of_no_use_to_kernels(tmp_path: Path) -> None:
    """Groups of 16 have values all the same."""
    expected = save(tmp_path, Kind("gptq", group=16))
    checkpoint = open_checkpoint(str(tmp_path))
    assert checkpoint.info(DOWN).scheme is None
    assert checkpoint.quantized(DOWN) is None
    np.testing.assert_array_equal(checkpoint.load(DOWN), expected[DOWN])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bits": 3}, "GPTQ with 3 bits cannot be read, only 2 or 4 or 8"),
        ({"quant_method": "awq", "version": "marlin"}, "AWQ in the layout 'marlin'"),
        ({"quant_method": "hqq"}, "quantized with hqq cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    save(tmp_path, Kind("gptq", changes=changes))
    with pytest.raises(UnsupportedModelError, match=message):
        open_checkpoint(str(tmp_path))


def damaged(part: str, change: Any) -> Any:
    """Changes a part of DOWN; None takes it away."""
    return DOWN.replace("weight", part), change


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (damaged("g_idx", None), r"down_proj\.g_idx is missing"),
        (damaged("scales", None), r"down_proj\.scales is missing"),
        (damaged("qzeros", None), r"down_proj\.qzeros is missing"),
        (damaged("g_idx", lambda g: g + 1), "inputs of group 1 to 2, but 2 groups"),
        (damaged("g_idx", lambda g: g - 1), "inputs of group -1 to 0, but 2 groups"),
        (damaged("g_idx", lambda g: g[:-1]), r"g_idx is int32 \(255,\), expected int32 \(256,\)"),
        (damaged("g_idx", lambda g: g.float()), r"g_idx is float32"),
        (damaged("qzeros", lambda z: z.T), r"qzeros is int32 \(16, 2\), expected int32 \(2, 16\)"),
        (damaged("scales", lambda s: s[:, 1:]), r"scales is float16 \(2, 127\)"),
        (damaged("scales", lambda s: s[0]), r"scales is float16 \(128,\)"),
        (damaged("qweight", lambda q: q[0]), r"qweight has shape \(128,\)"),
    ],
)
def test_damage_is_one_clear_error(tmp_path: Path, edit: Any, message: str) -> None:
    save(tmp_path, Kind("gptq", act_order=True))
    file, (name, change) = tmp_path / "model.safetensors", edit
    state = load_file(file)
    found = state.pop(name)
    if change is not None:
        state[name] = change(found).contiguous()
    save_file(state, file)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(str(tmp_path)).info(DOWN)


@pytest.mark.parametrize("size", [0, -2, 2**40, "128", 1.5, None, True])
def test_absurd_group_sizes(tmp_path: Path, size: Any) -> None:
    save(tmp_path, Kind("awq", changes={"group_size": size}))
    with pytest.raises(CheckpointError, match=f"names a group_size of {size!r}"):
        open_checkpoint(str(tmp_path))


def test_quantized_in_name_alone(tmp_path: Path) -> None:
    save(tmp_path, Kind("awq"))
    save_file({"model.norm.weight": torch.ones(128)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="quantized with awq, but none is"):
        open_checkpoint(str(tmp_path))
