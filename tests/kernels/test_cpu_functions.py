"""exp and log on four lanes, against NumPy in f64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from compiler.kernels.cpu.dsl import LANES, exp, finished, kernel, load, log, store4
from compiler.kernels.dsl import Expr, let
from tests.support.exchange import Array
from tests.support.gpu import assert_close
from tests.support.wasm import Wasm

COUNT = 4096


def apply(wasm: Wasm, name: str, function: Callable[[Expr], Expr], x: Array) -> Array:
    with kernel(name) as k:
        source = k.buffer("x", (COUNT,), "float32")
        out = k.buffer("out", (COUNT,), "float32", write=True)
        with k.call(), k.items(COUNT // LANES) as item:
            store4(out, function(let(load(source, item * LANES))), item * LANES)
    return wasm.run(finished(k), {"x": x, "out": np.zeros_like(x)})["out"]


def test_exp(wasm: Wasm) -> None:
    x = np.linspace(-87, 88, COUNT, dtype=np.float32)
    expected = np.exp(x.astype(np.float64))
    assert_close(apply(wasm, "exp4", exp, x) / expected, np.ones(COUNT), 3e-7, "exp")


def test_exp_of_extremes(wasm: Wasm) -> None:
    x = np.full(COUNT, -3e38, np.float32)
    x[1::2] = 3e38
    got = apply(wasm, "exp4", exp, x)
    assert not got[::2].any()
    assert np.isfinite(got[1::2]).all()
    assert (got[1::2] > 1e38).all()


def test_log(wasm: Wasm) -> None:
    x = np.exp(np.linspace(-80, 80, COUNT)).astype(np.float32)
    x[: COUNT // 2] = np.linspace(0.5, 2, COUNT // 2)  # where cancellation would show
    expected = np.log(x.astype(np.float64))
    assert_close(apply(wasm, "log4", log, x), expected, 2e-7, "log")
