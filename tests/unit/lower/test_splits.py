"""Attention that is split: who puts it together."""

from __future__ import annotations

from collections.abc import Callable

from tvm import relax
from tvm.relax import op as R

from compiler.graph import canonicalize, ops, prologue
from compiler.graph.quantize import Coding
from compiler.graph.rewrite import rewrite
from compiler.kernels import sets
from compiler.kernels.sets import KernelSet
from compiler.kernels.specs import Attend, Combine, Linear
from compiler.lower.generic import legalise
from compiler.lower.launches import Launch, Listing
from compiler.lower.steps import Lister, Model
from compiler.lower.tensors import Store
from tests.unit.graph.programs import Graph, program
from tests.unit.graph.test_quantize import Stored, matrix

HEADS, DEPTH = 1, 64
CONTEXT = 1024  # 16 blocks
WIDTH = HEADS * DEPTH


def listed(
    emit: Callable[[Graph, relax.Var], relax.Expr], kernels: KernelSet = sets.WEBGPU
) -> list[Launch]:
    """Launches of one token's attention and what `emit` makes of it, the inputs' aside."""

    def attention(g: Graph) -> relax.Expr:
        shared = {"layer": 0, "kv_heads": HEADS}
        packed = g(R.reshape(g(R.cos(g.x)), (1, 3 * WIDTH)))
        settings = {"packed": True, "rotary": 0, "normed": False, "epsilon": 0.0, **shared}
        append = g(ops.make("append", [packed], (1, HEADS, DEPTH), **settings))
        shared |= {"slopes": False, "sinks": False, "causal": True}
        settings = {"scale": 0.5, "window": 0, "softcap": 0.0, "deferred": False, **shared}
        found = g(ops.make("attend", [append], (1, HEADS, DEPTH), **settings))
        return g(emit(g, g(R.reshape(found, (1, WIDTH)))))

    shapes = {"ids": (1, 1), "x": (3, WIDTH)}
    made = program(attention, shapes, {"w": (WIDTH, WIDTH)}, ("ids",))
    made = rewrite(rewrite(made, canonicalize.canonical_linear), prologue.defer_combine)
    made = legalise(made, "wasm" if kernels is sets.WASM else "webgpu")
    store = Store(Coding(Stored({"w": matrix(WIDTH)}), {}, "q4"))
    listing: Listing = Lister(made, Model(50, CONTEXT), store, kernels, 1).run(sample=False)
    start = next(i for i, launch in enumerate(listing.launches) if launch.layer == 0)
    return listing.launches[start + 1 :]  # after `append`


def test_the_output_projection_combines() -> None:
    attend, projection = listed(lambda g, found: g.linear(found, g.w))
    assert isinstance(attend.spec, Attend)
    assert isinstance(projection.spec, Linear)
    splits = attend.spec.splits
    assert splits == sets.WEBGPU.fused.splits(attend.spec) > 1  # type: ignore[union-attr]
    assert projection.spec.prologue.combine == Combine(HEADS, splits)
    *_, parts, log_sums = attend.values
    assert (parts.bytes, log_sums.bytes) == (splits * WIDTH * 4, splits * HEADS * 4)
    assert [value.name for value in projection.values[:2]] == [parts.name, log_sums.name]


def test_a_kernel_combines_for_other_readers() -> None:
    attend, combine, last = listed(lambda g, found: R.tanh(found))
    assert isinstance(attend.spec, Attend)
    assert combine.kernel.name == f"combine_{attend.spec.splits}x{HEADS}x{DEPTH}"
    assert combine.layer == 0
    assert combine.values[:2] == attend.values[-2:]
    assert combine.values[2] in last.values
    assert combine.values[2].bytes == WIDTH * 4


def test_targets_without_splits_attend_at_once() -> None:
    attend, projection = listed(lambda g, found: g.linear(found, g.w), sets.WASM)
    assert isinstance(attend.spec, Attend)
    assert attend.spec.splits == 1
    assert attend.values[-1] == projection.values[0]
