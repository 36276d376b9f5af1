"""Programs that no pass recognises, lowered by TVM; weights and constants they share."""

from __future__ import annotations

import re

import numpy as np
import pytest
from tvm import relax
from tvm.relax import op as R

from compiler.errors import UnsupportedModelError
from compiler.graph import ops
from compiler.graph.canonicalize import PLAIN
from compiler.graph.program import Program, Source
from compiler.graph.quantize import Coding
from compiler.kernels import sets
from compiler.lower import generic
from compiler.lower.generic import Backend, legalise
from compiler.lower.kernel_files import wasm_files
from compiler.lower.launches import Listing
from compiler.lower.steps import Lister, Model
from compiler.lower.tensors import Constants, Matrix, Plain, Store
from compiler.lower.wgsl import compile_kernels
from compiler.quantize import Q4_MIN
from tests.unit.graph.programs import Graph, number, operators, program
from tests.unit.graph.test_quantize import Stored, matrix

ROWS = 3
INPUTS = {"ids": (1, ROWS), "positions": (1, ROWS)}
INTEGERS = ("ids", "positions")
KERNELS = {"webgpu": sets.WEBGPU, "wasm": sets.WASM}

both_backends = pytest.mark.parametrize("backend", KERNELS)


def made(emit: object, weights: dict[str, tuple[int, ...]]) -> Program:
    assert callable(emit)
    return program(emit, INPUTS, weights, INTEGERS)


def store() -> Store:
    stored = Stored({"w": matrix(64), "table": matrix(50), "b": matrix(1)[0]})
    return Store(Coding(stored, {}, "q4"))


def listed(source: Program, into: Store, backend: Backend = "webgpu") -> Listing:
    legal = legalise(source, backend)
    return Lister(legal, Model(50, 16), into, KERNELS[backend], ROWS).run(sample=False)


def rotary(g: Graph) -> relax.Expr:
    x = g(R.astype(g.positions, "float32"))
    return g(R.multiply(g(R.cos(g(R.multiply(x, number(0.5))))), g.b))


@both_backends
def test_neighbouring_operators_become_one_kernel(backend: Backend) -> None:
    before = made(rotary, {"b": (1, ROWS)})
    assert len(operators(before)) == 4
    assert operators(legalise(before, backend)) == ["relax.call_tir"]


@both_backends
def test_listing_starts_with_the_inputs(backend: Backend) -> None:
    listing = listed(made(rotary, {"b": (1, ROWS)}), store(), backend)
    first, second = listing.launches
    assert [value.name for value in first.values[:2]] == ["control", "tokens"]
    positions = first.values[3]
    assert positions.bytes == ROWS * 4
    assert positions in second.values
    plain = [value for value in second.values if value.kind == "weight"]
    assert [(value.part, value.bytes) for value in plain] == [("values", ROWS * 4)]


def test_generated_kernels_compile_to_wgsl() -> None:
    listing = listed(made(rotary, {"b": (1, ROWS)}), store())
    kernel = listing.launches[1].kernel
    shader = compile_kernels([kernel])[kernel.name]
    assert set(shader.arguments) == set(kernel.arguments)
    written = {n for n, w in zip(shader.arguments, shader.writable, strict=True) if w}
    assert written == set(kernel.writes)


def test_grid_covers_every_element() -> None:
    before = program(lambda g: g(R.tanh(g.w)), INPUTS, {"w": (64, 64)}, INTEGERS)
    kernel = listed(before, store()).launches[1].kernel
    shader = compile_kernels([kernel])[kernel.name]
    assert kernel.grid[0] * shader.workgroup[0] >= 64 * 64
    assert kernel.grid[1:] == (1, 1)


def test_items_are_what_threads_can_share() -> None:
    before = program(lambda g: g(R.tanh(g.w)), INPUTS, {"w": (64, 32)}, INTEGERS)
    kernel = listed(before, store(), "wasm").launches[1].kernel
    assert kernel.grid == (64, 1, 1)


def test_generated_kernels_compile_to_webassembly() -> None:
    listing = listed(made(rotary, {"b": (1, ROWS)}), store(), "wasm")
    kernel = listing.launches[1].kernel
    files = wasm_files([kernel], {"wasm": ["simd128"]})
    assert files.kernels[0].entry == kernel.name
    assert [mode == "read_write" for mode in files.kernels[0].access] == [
        name in kernel.writes for name in kernel.arguments
    ]


@both_backends
def test_equal_kernels_are_one(backend: Backend) -> None:
    def emit(g: Graph) -> relax.Expr:
        x = g(R.matmul(g.w, g(R.tanh(g.w))))
        return g(R.matmul(x, g(R.tanh(x))))

    listing = listed(program(emit, INPUTS, {"w": (64, 64)}, INTEGERS), store(), backend)
    kernels = [launch.kernel for launch in listing.launches]
    assert len(set(kernels)) < len(kernels)


@both_backends
def test_views_take_no_launch(backend: Backend) -> None:
    def emit(g: Graph) -> relax.Expr:
        return g(R.tanh(g(R.reshape(g(R.expand_dims(g.w, 0)), (64 * 64,)))))

    listing = listed(program(emit, INPUTS, {"w": (64, 64)}, INTEGERS), store(), backend)
    assert len(listing.launches) <= 3


@both_backends
def test_embedding_and_linear_share_a_tied_weight(backend: Backend) -> None:
    def emit(g: Graph) -> relax.Expr:
        ids = g(R.reshape(g.ids, (ROWS,)))
        x = g(ops.make("embed", [ids, g.table], (ROWS, 64)))
        return g(ops.make("linear", [x, g.table], (ROWS, 50), **PLAIN))

    into = store()
    listing = listed(program(emit, INPUTS, {"table": (50, 64)}, INTEGERS), into, backend)
    assert [launch.kernel.name.split("_")[0] for launch in listing.launches] == [
        "inputs",
        "embed",
        "linear",
    ]
    assert into.tensors == {"table": Matrix("table", Source("table"), (50, 64), Q4_MIN)}
    parts = [v.part for v in listing.launches[2].values if v.kind == "weight"]
    assert parts == ["codes", "scales"]


@both_backends
def test_64_bit_values_in_device_memory_are_refused(backend: Backend) -> None:
    def emit(g: Graph) -> relax.Expr:
        return g(R.reshape(g(R.astype(g.positions, "int64")), (ROWS,)))

    with pytest.raises(UnsupportedModelError, match="64-bit"):
        listed(program(emit, INPUTS, {}, INTEGERS), store(), backend)


def test_a_weight_used_plain_and_coded_is_stored_twice() -> None:
    into = store()
    into.matrix("w", Source("w"), (64, 64))
    assert into.plain(Plain("w", Source("w"), (64, 64))) == "w (plain)"
    assert into.plain(Plain("b", Source("b"), (64,))) == "b"
    assert list(into.tensors) == ["w", "w (plain)", "b"]


def test_constants_are_named_by_content() -> None:
    a = Constants.of(np.array([1.0, 2.0], np.float32))
    assert a.name == Constants.of(np.array([1.0, 2.0], np.float32)).name
    assert a.name != Constants.of(np.array([1.0, 3.0], np.float32)).name
    integers = Constants.of(np.array([1, 2], np.int64))
    assert integers.values.dtype == np.int32
    assert integers.name == Constants.of(np.array([1, 2], np.int32)).name
    assert integers.name != Constants.of(np.array([1, 2], np.int32).view(np.float32)).name
    assert Constants.of(np.array([True, False])).values.tolist() == [1, 0]


def scores(g: Graph) -> relax.Expr:
    """Products of activations, a softmax and a mean, none of them of attention."""
    x = g(R.reshape(g(R.astype(g.ids, "float32")), (1, 4, 128, 64)))
    products = g(R.matmul(x, g(R.permute_dims(x, [0, 1, 3, 2]))))
    return g(R.mean(g(R.matmul(g(R.nn.softmax(products, axis=-1)), x)), axis=2))


def test_kernels_of_prompts_keep_to_limits_and_registers() -> None:
    """Their caches are of a tile, not of a tensor."""
    source = program(scores, {"ids": (4, 128 * 64), "positions": (1, ROWS)}, {}, INTEGERS)
    listing = listed(source, store())
    kernels = list(dict.fromkeys(launch.kernel for launch in listing.launches))
    shaders = compile_kernels(kernels).values()
    assert max(shader.workgroup_bytes for shader in shaders) > 0
    for shader in shaders:
        assert shader.workgroup_bytes <= 16384
        private = re.findall(r"^var \w+:array<\w+,(\d+)>", shader.text, re.MULTILINE)
        assert all(int(count) <= 256 for count in private)


def halves(g: Graph) -> relax.Expr:
    parts = g(R.split(g(R.cos(g.b)), 2, 1))
    first, second = (g(relax.TupleGetItem(parts, i)) for i in (0, 1))
    return R.add(first, g(R.sum(second, [1], keepdims=True)))


def test_several_loop_nests_are_not_one_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch has one; what TVM makes of the others would be lost."""
    before = made(halves, {"b": (1, 8)})
    compile_kernels([launch.kernel for launch in listed(before, store()).launches])
    monkeypatch.setattr(generic, "LEGALISATIONS", {})
    with pytest.raises(UnsupportedModelError, match="several kernels of one"):
        compile_kernels([launch.kernel for launch in listed(before, store()).launches])


@pytest.mark.parametrize(
    ("shape", "by_token"),
    [((1, ROWS, 8), True), ((1, ROWS, 2, 8), True), ((1, 2, ROWS, 8), False)],
)
def test_only_rows_in_order_of_tokens_can_be_left_out(
    shape: tuple[int, ...], by_token: bool
) -> None:
    """A prompt shorter than a chunk needs less of a kernel, unless heads come first."""

    def normed(g: Graph) -> relax.Expr:
        x = g(R.broadcast_to(g(R.cos(g.b)), shape))
        return ops.make("rms_norm", [x, g.n], shape, epsilon=1e-5)

    listing = listed(made(normed, {"b": (1, 8), "n": (8,)}), store())
    (launch,) = (one for one in listing.launches if one.kernel.rows_axis is not None)
    assert launch.by_token == by_token


def test_a_value_beside_itself() -> None:
    def doubled(g: Graph) -> relax.Expr:
        x = g(R.reshape(g(R.cos(g.b)), (2, 4)))  # what a reshape cuts off is not fused
        return g(R.concat([x, x], axis=1))

    listing = listed(made(doubled, {"b": (1, 8)}), store())
    (launch,) = (one for one in listing.launches if "concat" in one.kernel.name)
    assert len(set(launch.kernel.arguments)) == 3
    (shader,) = compile_kernels([launch.kernel]).values()
    assert sorted(shader.arguments) == sorted(launch.kernel.arguments)


def test_different_values_of_one_name_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="two buffers of a kernel are both named x"):
        generic.require_one_value(["x", "x", "out"], [1, 2, 3])
    generic.require_one_value(["x", "x", "out"], [1, 1, 3])


def test_tvms_own_variables_are_not_taken_for_the_models() -> None:
    """Top-k is several kernels, whose values in between TVM calls lv, lv1 as it does a model's."""

    def chosen(g: Graph) -> relax.Expr:
        x = g(R.reshape(g(R.cos(g.b)), (2, 4)))
        best = g(R.topk(g(R.exp(x)), 2, 1, "both"))
        return g(R.multiply(g(relax.TupleGetItem(best, 0)), number(2.0)))

    for launch in listed(made(chosen, {"b": (1, 8)}), store()).launches:
        assert len(set(launch.kernel.arguments)) == len(launch.kernel.arguments)
        assert not any(name.endswith("_1") for name in launch.kernel.arguments)
