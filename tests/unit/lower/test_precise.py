"""Elementary functions on the CPU, against NumPy in f64. tests/kernels has them on WebGPU."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tvm
from tvm import te

from compiler.lower.precise import PIECES, half_pi_pieces, sine, tanh

Array = npt.NDArray[np.float32]


def on_cpu(function: Callable[[Any], Any], x: Array) -> Array:
    """`function` of each element, compiled by LLVM."""
    source = te.placeholder(x.shape, "float32", "x")
    result = te.compute(x.shape, lambda i: function(source[i]), "y")
    compiled = tvm.compile(te.create_prim_func([source, result]), target="llvm")
    out = tvm.runtime.tensor(np.zeros_like(x))
    compiled(tvm.runtime.tensor(x), out)
    values: Array = out.numpy()
    return values


def worst(got: Array, expected: npt.NDArray[np.float64]) -> float:
    return float(np.abs(got.astype(np.float64) - expected).max())


def test_pieces_add_up_to_half_pi() -> None:
    pieces = half_pi_pieces()
    assert len(pieces) == PIECES
    # Times 100,000 / (pi / 2) quadrants, what is missing stays far below 1e-7.
    assert abs(sum(map(Fraction, pieces)) - Fraction(math.pi / 2)) * 65536 < 1e-9


def test_products_of_leading_pieces_and_quadrants_are_exact() -> None:
    for piece in half_pi_pieces()[:-1]:
        for quadrant in (1, 3, 12345, 63662, 65535):
            product = np.float32(piece) * np.float32(quadrant)
            assert Fraction(float(product)) == Fraction(piece) * quadrant


@pytest.mark.parametrize("offset", [0, 1, 2, 3])
@pytest.mark.parametrize("largest", [1.0, 8192.0, 100_000.0])
def test_sine(offset: int, largest: float) -> None:
    x = np.linspace(-largest, largest, 20_011, dtype=np.float32)
    got = on_cpu(lambda v: sine(v, offset), x)
    expected = np.sin(x.astype(np.float64) + offset * (math.pi / 2))
    assert worst(got, expected) < 2e-7  # an epsilon of rounding; 1.5e-7 measured


def test_sine_near_multiples_of_half_pi() -> None:
    """Where a coarse reduction loses all digits."""
    quadrants = np.arange(1, 60_000, 7)
    x = (quadrants * (math.pi / 2)).astype(np.float32)
    got = on_cpu(lambda v: sine(v, 0), x)
    assert worst(got, np.sin(x.astype(np.float64))) < 2e-7


def test_tanh() -> None:
    x = np.concatenate([np.linspace(-9, 9, 10_001), [-1e30, -1e4, 1e4, 1e30, 0]])
    x = x.astype(np.float32)
    got = on_cpu(tanh, x)
    assert np.isfinite(got).all()
    assert worst(got, np.tanh(x.astype(np.float64))) < 3e-7
