"""The hot kernels of each target: the same operators on the same operands."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from compiler.kernels.dsl import KernelFunction
from compiler.kernels.sets import WASM, WEBGPU, KernelSet
from compiler.kernels.specs import Append, Attend, CacheShape, Linear
from compiler.quantize import F32, Q4_MIN

CACHE = CacheShape(64, 2, 16)
KERNELS: Mapping[str, Callable[[KernelSet], KernelFunction]] = {
    "inputs": lambda k: k.inputs(3, 64),
    "embed": lambda k: k.embed(3, 50, 64, Q4_MIN),
    "embed_plain": lambda k: k.embed(1, 50, 64, F32),
    "linear": lambda k: k.linear(Linear(1, 8, 64, Q4_MIN)),
    "linear_rows": lambda k: k.linear(Linear(3, 8, 64, Q4_MIN, bias=True, residual=True)),
    "gated": lambda k: k.linear(Linear(3, 8, 64, F32, gated=True, activation="silu")),
    "rms_norm": lambda k: k.rms_norm(3, 64, 1e-5),
    "layer_norm": lambda k: k.layer_norm(3, 64, 1e-5),
    "append": lambda k: k.append(Append(3, 4, CACHE, True, 16, True, 1e-6)),
    "append_parts": lambda k: k.append(Append(1, 4, CACHE, False, 0, False, 0.0)),
    "attend": lambda k: k.attend(Attend(3, 4, CACHE, 0.25, 0, 0.0)),
    "adjust": lambda k: k.adjust(50),
    "choose": lambda k: k.choose(50, 64),
}


@pytest.mark.parametrize("name", KERNELS)
def test_operands_are_the_same_on_every_target(name: str) -> None:
    """CPU kernels of several rows may ask for `control` besides, to know how many are real."""
    webgpu, wasm = (KERNELS[name](kernels) for kernels in (WEBGPU, WASM))
    added = [argument for argument in wasm.arguments if argument not in webgpu.arguments]
    assert wasm.arguments == (*webgpu.arguments, *added)
    assert added in ([], ["control"])
    assert set(wasm.writes) == set(webgpu.writes)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("kernels", [WEBGPU, WASM], ids=["webgpu", "wasm"])
def test_the_same_settings_give_the_same_kernel(kernels: KernelSet, name: str) -> None:
    """Or each of a model's layers would be compiled."""
    assert KERNELS[name](kernels) is KERNELS[name](kernels)


def test_an_item_of_a_cpu_kernel_is_a_line_of_its_grid() -> None:
    for make in KERNELS.values():
        items, *rest = make(WASM).grid
        assert items >= 1
        assert rest == [1, 1]


def test_cpu_kernels_end_with_their_share() -> None:
    for make in KERNELS.values():
        kernel = make(WASM)
        names = [param.name for param in kernel.function.params]
        assert names == [*kernel.arguments, "begin", "end"]
