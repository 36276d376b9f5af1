"""Codes carried over from GGUF's blocks stand for the same values."""

from __future__ import annotations

import gguf
import numpy as np
import pytest

from compiler.checkpoint.gguf_codes import Type, can_carry, carried
from compiler.quantize import dequantize

ROWS, GROUPS = 3, 4


def blocks(kind: Type) -> np.ndarray:
    """Random ones, with finite scales and no code of -128."""
    random = np.random.default_rng(1)
    _, size = gguf.GGML_QUANT_SIZES[kind]
    made = random.integers(0, 60, (ROWS, GROUPS, size), np.uint8)
    if kind == Type.MXFP4:
        made[..., 0] = random.integers(118, 134, (ROWS, GROUPS))  # 2^-9 and up
    return made.reshape(ROWS, -1)


@pytest.mark.parametrize("kind", [Type.Q4_0, Type.Q4_1, Type.Q8_0, Type.IQ4_NL, Type.MXFP4])
def test_values_are_the_librarys(kind: Type) -> None:
    assert can_carry(kind)
    stored = blocks(kind)
    codes = carried(stored, kind)
    assert codes is not None
    np.testing.assert_array_equal(dequantize(codes), gguf.dequantize(stored, kind))


def test_scales_beyond_f16_are_not_carried() -> None:
    stored = blocks(Type.MXFP4)
    stored[0, 0] = 20  # 2^-107
    assert carried(stored, Type.MXFP4) is None


def test_k_quants_have_scales_of_their_own_kind() -> None:
    assert not can_carry(Type.Q4_K)
