"""Linear layers of every scheme and fusion against NumPy in f64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from compiler.kernels.linear import Linear, Tiling, default_tiling, linear
from compiler.quantize import schemes
from compiler.quantize.layout import pack
from compiler.quantize.schemes import dequantize, quantize
from tests.support.gpu import Array, Gpu, assert_close

SCHEMES = {
    "q4": schemes.Q4,
    "q4_min": schemes.Q4_MIN,
    "q8": schemes.Q8,
    "f16": schemes.F16,
    "f32": schemes.F32,
}
ACTIVATIONS = {
    "none": lambda x: x,
    "silu": torch.nn.functional.silu,
    "gelu": torch.nn.functional.gelu,
    "gelu_tanh": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
    "relu": torch.nn.functional.relu,
}


def tolerance(columns: int) -> float:
    """K products summed in f32 in any order: an error of at most K epsilon times the sum of
    magnitudes, which for random data is sqrt(K) times the result's own scale; 4 for the rest."""
    return float(4 * np.finfo(np.float32).eps * columns)


def operands(spec: Linear, seed: int = 0) -> tuple[dict[str, Array], Array]:
    """Random buffers for `spec` and the expected output."""
    random = np.random.default_rng(seed)
    stacked = spec.width * (2 if spec.gated else 1)
    x = random.standard_normal((spec.rows, spec.columns)).astype(np.float32)
    values = random.standard_normal((stacked, spec.columns)).astype(np.float32)
    weight = quantize(values / np.float32(np.sqrt(spec.columns)), spec.scheme)
    packed = pack(weight)
    buffers: dict[str, Array] = {
        "x": x,
        "out": np.zeros((spec.rows, spec.width), np.float32),
    }
    for name, span in packed.parts.items():
        buffers[name] = packed.data[span.offset : span.offset + span.bytes]
    product = x.astype(np.float64) @ dequantize(weight).astype(np.float64).T
    if spec.bias:
        buffers["bias"] = random.standard_normal(stacked).astype(np.float32)
        product = product + buffers["bias"]
    gate = product[:, : spec.width]
    expected = ACTIVATIONS[spec.activation](torch.from_numpy(gate)).numpy()
    if spec.gated:
        expected = expected * product[:, spec.width :]
    if spec.residual:
        buffers["residual"] = random.standard_normal(expected.shape).astype(np.float32)
        expected = expected + buffers["residual"]
    return buffers, expected


def check(gpu: Gpu, spec: Linear, tiling: Tiling | None = None) -> None:
    buffers, expected = operands(spec)
    kernel = linear(spec, tiling or default_tiling(spec))
    got = gpu.run(kernel, buffers)["out"]
    assert_close(got, expected, tolerance(spec.columns), f"{spec} {tiling}")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("rows", [1, 20])
def test_every_scheme(gpu: Gpu, scheme: str, rows: int) -> None:
    check(gpu, Linear(rows, 97, 96, SCHEMES[scheme]))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("gated", [False, True])
def test_every_activation(gpu: Gpu, activation: str, gated: bool) -> None:
    check(gpu, Linear(1, 64, 64, schemes.Q4_MIN, True, False, gated, activation))


@pytest.mark.parametrize("rows", [1, 33])
def test_bias_and_residual(gpu: Gpu, rows: int) -> None:
    check(gpu, Linear(rows, 70, 64, schemes.Q8, bias=True, residual=True))


@pytest.mark.parametrize("columns", [6, 10, 20])
def test_columns_that_fill_no_vector(gpu: Gpu, columns: int) -> None:
    scheme = schemes.fallback(schemes.Q4, columns)
    check(gpu, Linear(3, 5, columns, scheme))


@pytest.mark.parametrize("tiling", [Tiling(1, 32, 8), Tiling(1, 64, 4, 2), Tiling(4, 16, 2, 3)])
@pytest.mark.parametrize("gated", [False, True])
def test_every_tiling_gives_the_same(gpu: Gpu, tiling: Tiling, gated: bool) -> None:
    check(gpu, Linear(tiling.rows + 1, 130, 576, schemes.Q4_MIN, True, True, gated), tiling)
