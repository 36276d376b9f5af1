"""Linear layers of every scheme and fusion against NumPy in f64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from compiler.bundle.schema import CONTROL_SLOTS, Control
from compiler.kernels.dsl import KernelFunction
from compiler.kernels.gpu.language import LARGEST
from compiler.kernels.gpu.linear import linear
from compiler.kernels.gpu.product import Tiling
from compiler.kernels.gpu.route import routing
from compiler.kernels.sets import WASM
from compiler.kernels.specs import Linear
from compiler.quantize import schemes
from compiler.quantize.layout import pack
from compiler.quantize.schemes import dequantize, quantize
from tests.kernels.routes import order_of
from tests.support.exchange import Array
from tests.support.gpu import Gpu, assert_close
from tests.support.wasm import Wasm

SCHEMES = {
    "q4": schemes.Q4,
    "q4_min": schemes.Q4_MIN,
    "q4_zero": schemes.Q4_ZERO,
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


def tolerance(columns: int, half: bool = False) -> float:
    """K products summed in f32 in any order: an error of at most K epsilon times the sum of
    magnitudes, which for random data is sqrt(K) times the result's own scale; 4 for the rest.

    In half precision x, the weight and each sum of up to eight products lose all but 11 bits, which
    WGSL lets a device cut off: 2^-10 at most, and independent of each other, so that the error of
    the result has a deviation of 1.3 x 2^-10 of its own scale. The worst of some thousand results
    is five deviations off: 7; the rest is for gates, which multiply two of them.
    """
    if half:
        return 16 * 2.0**-10
    return float(4 * np.finfo(np.float32).eps * columns)


def operands(spec: Linear, x: Array | None = None) -> tuple[dict[str, Array], Array]:
    """Random buffers for `spec` and the expected output, of the given x or a random one."""
    random = np.random.default_rng(0)
    stacked = spec.width * (2 if spec.gated else 1)
    drawn: Array = random.standard_normal((spec.rows, spec.columns)).astype(np.float32)
    x = drawn if x is None else x
    values = random.standard_normal((stacked, spec.columns)).astype(np.float32)
    weight = quantize(values / np.float32(np.sqrt(spec.columns)), spec.scheme)
    packed = pack(weight)
    buffers: dict[str, Array] = {
        "x": x,
        "out": np.zeros((spec.rows, spec.width), np.float32),
        "control": np.zeros(CONTROL_SLOTS, np.int32),
    }
    buffers["control"][Control.COUNT] = spec.rows
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


def check(machine: Gpu | Wasm, spec: Linear, kernel: KernelFunction | None = None) -> None:
    buffers, expected = operands(spec)
    got = machine.run(kernel or machine.kernels.linear(spec), buffers)["out"]
    limit = tolerance(spec.columns, in_half(machine, spec))
    assert_close(got, expected, limit, str(spec))


def in_half(machine: Gpu | Wasm, spec: Linear) -> bool:
    """Whether a layer's products are in half precision."""
    return machine.half and spec.scheme.bits < 32


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("rows", [1, 4, 20])
def test_every_scheme(machine: Gpu | Wasm, scheme: str, rows: int) -> None:
    check(machine, Linear(rows, 97, 96, SCHEMES[scheme]))


@pytest.mark.parametrize("scheme", ["q4", "q4_zero", "q8"])
@pytest.mark.parametrize("rows", [1, 20])
def test_groups_of_several_units(machine: Gpu | Wasm, scheme: str, rows: int) -> None:
    check(machine, Linear(rows, 97, 192, replace(SCHEMES[scheme], group=96)))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("gated", [False, True])
def test_every_activation(machine: Gpu | Wasm, activation: str, gated: bool) -> None:
    check(machine, Linear(1, 64, 64, schemes.Q4_MIN, True, False, gated, activation))


@pytest.mark.parametrize("rows", [1, 33])
def test_bias_and_residual(machine: Gpu | Wasm, rows: int) -> None:
    check(machine, Linear(rows, 70, 64, schemes.Q8, bias=True, residual=True))


@pytest.mark.parametrize("columns", [6, 10, 20])
def test_columns_that_fill_no_vector(machine: Gpu | Wasm, columns: int) -> None:
    scheme = schemes.fallback(schemes.Q4, columns)
    check(machine, Linear(3, 5, columns, scheme))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("shared", [1, 2])
@pytest.mark.parametrize("rows", [6, 42])
def test_rows_with_experts(machine: Gpu | Wasm, scheme: str, shared: int, rows: int) -> None:
    spec = Linear(rows, 44, 64, SCHEMES[scheme], experts=5, shared=shared)
    stacked = replace(spec, rows=spec.inputs, width=5 * 44, experts=0, shared=1)
    buffers, products = operands(stacked)
    chosen = np.resize(np.array([3, 0, 4, 3, 3, 1], np.int32), rows)  # none for 2
    own = products.reshape(spec.inputs, 5, 44)[np.arange(rows) // shared, chosen]
    buffers |= {"experts": chosen, "out": np.zeros((rows, 44), np.float32)}
    if (routed := routing(spec)) is not None:
        buffers["order"] = order_of(routed, chosen)
    kernel = machine.kernels.linear(spec)
    got = machine.run(kernel, {name: buffers[name] for name in kernel.arguments})["out"]
    assert_close(got, own, tolerance(spec.columns, in_half(machine, spec)), str(spec))


@pytest.mark.parametrize("tiling", [Tiling(1, 32, 8), Tiling(1, 64, 4, 2), Tiling(4, 16, 2, 3)])
@pytest.mark.parametrize("gated", [False, True])
def test_every_tiling_gives_the_same(gpu: Gpu, tiling: Tiling, gated: bool) -> None:
    spec = Linear(tiling.rows + 1, 130, 576, schemes.Q4_MIN, True, True, gated)
    check(gpu, spec, linear(spec, tiling))


@pytest.mark.parametrize("width", [1, 3, 4, 5])
@pytest.mark.parametrize("rows", [1, 3])
def test_results_that_fill_no_quad(machine: Gpu | Wasm, width: int, rows: int) -> None:
    for scheme in (schemes.Q4, schemes.Q4_MIN, schemes.F16):
        check(machine, Linear(rows, width, 64, scheme, True, True, True, "silu"))


@pytest.mark.parametrize("columns", [64, 576, 1536, 2080])
@pytest.mark.parametrize("width", [97, 1100])
def test_tiles_and_blocks(machine: Gpu | Wasm, width: int, columns: int) -> None:
    """Fewer and more columns than a tile, fewer and more rows than a block."""
    check(machine, Linear(1, width, columns, schemes.Q4_MIN, gated=True, activation="silu"))


@pytest.mark.parametrize("largest", [0.0, 1e-30, 1e-6, 1.0, 3e5])
def test_groups_of_any_size(machine: Gpu | Wasm, largest: float) -> None:
    """The first group has an outlier so large among small values, the second one of 1."""
    if machine.half and largest > LARGEST:
        pytest.skip("f16 ends before")
    spec = Linear(1, 16, 64, schemes.Q4)
    x = np.random.default_rng(1).standard_normal((1, 64)).astype(np.float32) * np.float32(1e-3)
    x[0, :32] *= np.float32(largest)
    x[0, 3], x[0, 40] = largest, -1.0
    buffers, expected = operands(spec, x)
    got = machine.run(machine.kernels.linear(spec), buffers)["out"]
    assert_close(
        got, expected, tolerance(32, machine.half) * max(1.0, largest), f"values to {largest}"
    )


def test_padding_rows_are_left_alone(wasm: Wasm) -> None:
    """On a CPU they would cost as much as real ones."""
    buffers, expected = operands(Linear(6, 8, 64, schemes.Q4))
    buffers["control"][Control.COUNT] = 3
    got = wasm.run(WASM.linear(Linear(6, 8, 64, schemes.Q4)), buffers)["out"]
    assert_close(got[:3], expected[:3], tolerance(64), "real rows")
    assert not got[3:].any()
