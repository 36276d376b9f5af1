"""Plain operators as one kernel each, with bounds that WGSL can spell."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tvm import relax

from compiler.lower.plain import LEGALISATIONS
from tests.unit.lower.test_selection import run

X = torch.arange(24, dtype=torch.float32).reshape(2, 12)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_split_is_a_kernel_for_each_part(axis: int) -> None:
    parts = run(lambda x: relax.op.split(x, 2, axis), X, lowered=LEGALISATIONS)
    expected = torch.chunk(X, 2, axis)
    assert len(parts) == 2
    for part, wanted in zip(parts, expected, strict=True):
        np.testing.assert_array_equal(part, wanted.numpy())


@pytest.mark.parametrize(
    ("low", "high"), [(-math.inf, 5.0), (3.0, math.inf), (3.0, 5.0), (-math.inf, math.inf)]
)
def test_infinite_bounds_are_none(low: float, high: float) -> None:
    (got,) = run(lambda x: relax.op.clip(x, low, high), X, lowered=LEGALISATIONS)
    np.testing.assert_array_equal(got, X.clamp(low, high).numpy())


def test_tensors_of_one_value() -> None:
    def make(x: relax.Var) -> relax.Expr:
        return relax.op.full_like(x, relax.const(2.5, "float32"))

    (got,) = run(make, X, lowered=LEGALISATIONS)
    np.testing.assert_array_equal(got, np.full((2, 12), 2.5, np.float32))
    (ones,) = run(relax.op.ones_like, X, lowered=LEGALISATIONS)
    np.testing.assert_array_equal(ones, np.ones((2, 12), np.float32))


@pytest.mark.parametrize(
    ("channels", "groups", "settings"),
    [
        (12, 12, {}),  # a state-space model's
        (12, 12, {"padding": 3}),
        (12, 3, {"padding": 1, "dilation": 2}),
        (6, 1, {"stride": 2, "padding": 2}),
    ],
)
def test_convolutions(channels: int, groups: int, settings: dict[str, int]) -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(1, 12, 7), torch.randn(channels, 12 // groups, 4)
    names = {"stride": "strides"}
    given = {names.get(name, name): value for name, value in settings.items()}

    def make(x: relax.Var, weight: relax.Var) -> relax.Expr:
        return relax.op.nn.conv1d(x, weight, groups=groups, **given)

    (got,) = run(make, x, weight, lowered=LEGALISATIONS)
    expected = torch.nn.functional.conv1d(x, weight, groups=groups, **settings)
    np.testing.assert_allclose(got, expected.numpy(), atol=2e-6)  # sums of up to 48 products
