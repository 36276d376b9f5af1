"""Shapes and settings of the hot kernels."""

from __future__ import annotations

import pytest

from compiler.kernels.specs import CacheShape, Linear
from compiler.quantize import F16, Q4_MIN, Q8


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (Linear(1, 8, 64, Q4_MIN), "linear_q4_1x8x64"),
        (Linear(3, 8, 64, F16, bias=True), "linear_f16_3x8x64_bias"),
        (
            Linear(1, 8, 64, Q8, bias=True, residual=True, gated=True, activation="silu"),
            "gated_q8_1x8x64_silu_bias_residual",
        ),
    ],
)
def test_a_layers_name_says_what_it_is(spec: Linear, name: str) -> None:
    assert spec.name == name


def test_gate_and_up_are_stacked() -> None:
    assert Linear(1, 8, 64, Q8, gated=True).stacked == 2
    assert Linear(1, 8, 64, Q8).stacked == 1


def test_a_token_takes_a_key_and_a_value_per_head() -> None:
    assert CacheShape(4096, kv_heads=3, depth=64).bytes_per_token == 2 * 3 * 64 * 4
