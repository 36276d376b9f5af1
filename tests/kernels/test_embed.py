"""Token and embedding look-up."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.bundle.schema import CONTROL_SLOTS, Control
from compiler.quantize.layout import pack
from compiler.quantize.schemes import dequantize, fallback, quantize
from tests.kernels.test_linear import SCHEMES
from tests.support.gpu import Gpu, assert_close
from tests.support.wasm import Wasm


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("columns", [64, 20])
def test_embed(machine: Gpu | Wasm, scheme: str, columns: int) -> None:
    coding = fallback(SCHEMES[scheme], columns)
    random = np.random.default_rng(3)
    table = quantize(random.standard_normal((33, columns)).astype(np.float32), coding)
    ids = np.array([0, 32, 7, 7], np.int32)
    packed = pack(table)
    buffers = {
        "ids": ids,
        "out": np.zeros((4, columns), np.float32),
        **{n: packed.data[s.offset : s.offset + s.bytes] for n, s in packed.parts.items()},
    }
    got = machine.run(machine.kernels.embed(4, 33, columns, coding), buffers)["out"]
    # code * scale + minimum is one fused or two rounded operations; before them WebGPU rounds
    # code / 255 and scale * 255, which come to 3 ulp of values near 2.
    assert_close(got, dequantize(table)[ids], 8e-7, f"embed {scheme} {columns}")


def test_inputs_stay_inside_the_context(machine: Gpu | Wasm) -> None:
    control = np.zeros(CONTROL_SLOTS, np.int32)
    control[Control.POSITION], control[Control.CONTEXT] = 13, 16
    buffers = {
        "control": control,
        "tokens": np.arange(100, 117, dtype=np.int32),
        "ids": np.zeros(5, np.int32),
        "positions": np.zeros(5, np.int32),
    }
    after = machine.run(machine.kernels.inputs(5, 16), buffers)
    assert after["positions"].tolist() == [13, 14, 15, 15, 15]
    assert after["ids"].tolist() == [113, 114, 115, 115, 115]


def test_text_says_which_tokens_are_real(machine: Gpu | Wasm) -> None:
    control = np.zeros(CONTROL_SLOTS, np.int32)
    control[Control.COUNT], control[Control.CONTEXT], control[Control.TEXT] = 5, 4, 3
    buffers = {
        "control": control,
        "tokens": np.arange(100, 105, dtype=np.int32),
        "ids": np.zeros(5, np.int32),
        "real": np.full(5, 7, np.int32),
    }
    after = machine.run(machine.kernels.text(5, 4), buffers)
    assert after["real"].tolist() == [1, 1, 1, 0, 0]
    assert after["ids"].tolist() == [100, 101, 102, 103, 103]  # the table has no more
