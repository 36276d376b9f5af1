"""Elementary functions where WGSL's own are too coarse, against NumPy in f64."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.kernels.dsl import KernelFunction, store
from compiler.kernels.gpu.dsl import finished, kernel
from compiler.lower.precise import sine, tanh
from tests.support.exchange import Array
from tests.support.gpu import Gpu, assert_close

COUNT = 4096


def elementwise(name: str, function: object) -> KernelFunction:
    assert callable(function)
    with kernel(name) as k:
        x = k.buffer("x", (COUNT,), "float32")
        out = k.buffer("out", (COUNT,), "float32", write=True)
        (block,), (thread,) = k.launch((COUNT // 64,), (64,))
        index = block * 64 + thread
        store(out, function(x[index]), index)
    return finished(k)


def apply(gpu: Gpu, made: KernelFunction, x: Array) -> Array:
    return gpu.run(made, {"x": x, "out": np.zeros_like(x)})["out"]


@pytest.mark.parametrize("largest", [1.0, 100.0, 8192.0, 100_000.0])
@pytest.mark.parametrize("offset", [0, 1])
def test_sine_at_any_position(gpu: Gpu, largest: float, offset: int) -> None:
    x = np.linspace(-largest, largest, COUNT, dtype=np.float32)
    got = apply(gpu, elementwise("sine", lambda v: sine(v, offset)), x)
    expected = (np.cos if offset else np.sin)(x.astype(np.float64))
    # One epsilon of rounding in the polynomials; the reduced angle is good to the same.
    assert_close(got, expected, 2e-7, f"sine up to {largest}")


def test_tanh_of_anything(gpu: Gpu) -> None:
    x = np.concatenate([np.linspace(-8, 8, COUNT - 4), [-1e4, -90, 90, 1e4]]).astype(np.float32)
    got = apply(gpu, elementwise("tanh_", tanh), x)
    assert_close(got, np.tanh(x.astype(np.float64)), 3e-7, "tanh")
