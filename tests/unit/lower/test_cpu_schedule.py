"""What no pass recognised on CPUs, compiled for this one: shares and results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tvm
from tvm import te, tirx, topi

from compiler.lower.cpu_schedule import ITEMS, schedule
from compiler.lower.walk import statements

Array = npt.NDArray[Any]
Compute = Callable[[te.Tensor], te.Tensor]
UNTOUCHED = -7.0


def scheduled(compute: Compute, shape: tuple[int, ...]) -> tirx.PrimFunc:
    source = te.placeholder(shape, "float32", "x")
    function = te.create_prim_func([source, compute(source)])
    return schedule(tvm.IRModule({"main": function}))["main"]


def items(function: tirx.PrimFunc) -> int:
    return int(function.attrs[ITEMS])


def run(function: tirx.PrimFunc, x: Array, *shares: tuple[int, int]) -> Array:
    """The result after each share in turn."""
    out = tvm.runtime.tensor(
        np.full([int(n) for n in function.params[1].shape], UNTOUCHED, np.float32)
    )
    compiled = tvm.compile(function.with_attr("global_symbol", "main"), target="llvm")
    for begin, end in shares:
        compiled(tvm.runtime.tensor(x), out, begin, end)
    values: Array = out.numpy()
    return values


def halves(function: tirx.PrimFunc) -> list[tuple[int, int]]:
    """As two threads divide it."""
    count = items(function)
    return [(0, count // 2), (count // 2, count)]


def random(*shape: int) -> Array:
    return np.random.default_rng(8).standard_normal(shape).astype(np.float32)


def doubled(x: te.Tensor) -> te.Tensor:
    return te.compute(x.shape, lambda *i: x(*i) * 2.0, "y")


def total(x: te.Tensor) -> te.Tensor:
    """Summed over the last axis."""
    k = te.reduce_axis((0, x.shape[-1]), "k")
    return te.compute(x.shape[:-1], lambda *i: te.sum(x(*i, k), k), "y")


def columns_total(x: te.Tensor) -> te.Tensor:
    """Summed over the first axis, as it comes, the outermost."""
    k = te.reduce_axis((0, x.shape[0]), "k")
    return te.compute(x.shape[1:], lambda *i: te.sum(x(k, *i), k), "y")


def softmax(x: te.Tensor) -> te.Tensor:
    return topi.nn.softmax(x, axis=-1)


def softmax_of(x: Array) -> Array:
    exponents = np.exp(x - x.max(-1, keepdims=True))
    values: Array = exponents / exponents.sum(-1, keepdims=True)
    return values


def test_parameters_are_the_buffers_then_the_share() -> None:
    function = scheduled(doubled, (8, 6))
    assert [param.name for param in function.params][-2:] == ["begin", "end"]
    assert [str(param.ty.dtype) for param in function.params[-2:]] == ["int32", "int32"]


def test_a_share_is_all_a_call_touches() -> None:
    function = scheduled(doubled, (8, 6))
    x = random(8, 6)
    assert items(function) == 8
    got = run(function, x, (2, 5))
    np.testing.assert_array_equal(got[2:5], 2 * x[2:5])
    assert (got[:2] == UNTOUCHED).all()
    assert (got[5:] == UNTOUCHED).all()


def test_an_empty_share_touches_nothing() -> None:
    for function, x in (
        (scheduled(doubled, (8, 6)), random(8, 6)),
        (scheduled(softmax, (3, 5)), random(3, 5)),
    ):
        assert (run(function, x, (1, 1)) == UNTOUCHED).all()


def test_producers_are_computed_where_they_are_used() -> None:
    function = scheduled(lambda x: doubled(doubled(doubled(x))), (8, 6))
    assert items(function) == 8
    assert count(function, tirx.BufferStore) == 1
    x = random(8, 6)
    np.testing.assert_array_equal(run(function, x, *halves(function)), 8 * x)


def test_an_axis_of_one_is_not_shared() -> None:
    function = scheduled(doubled, (1, 1, 5, 3))
    assert items(function) == 5
    x = random(1, 1, 5, 3)
    np.testing.assert_array_equal(run(function, x, *halves(function)), 2 * x)


@pytest.mark.parametrize("shape", [(1,), (1, 1, 1)])
def test_nothing_but_ones_is_one_item(shape: tuple[int, ...]) -> None:
    function = scheduled(doubled, shape)
    assert items(function) == 1
    x = random(*shape)
    np.testing.assert_array_equal(run(function, x, (0, 0), (0, 1)), 2 * x)


REDUCTIONS: Mapping[str, tuple[Compute, int]] = {"rows": (total, -1), "columns": (columns_total, 0)}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_what_is_summed_over_stays_inside(name: str) -> None:
    compute, axis = REDUCTIONS[name]
    function = scheduled(compute, (7, 9))
    x = random(7, 9)
    assert items(function) == x.sum(axis).size
    got = run(function, x, *halves(function))
    np.testing.assert_allclose(got, x.astype(np.float64).sum(axis), rtol=0, atol=9 * 2e-7)
    assert (run(function, x, (0, 2))[2:] == UNTOUCHED).all()


def test_a_sum_over_everything_is_one_item() -> None:
    function = scheduled(lambda x: topi.sum(x, axis=[0, 1]), (7, 9))
    x = random(7, 9)
    assert items(function) == 1
    np.testing.assert_allclose(run(function, x, (0, 1)), x.sum(), rtol=1e-5)


def test_nests_that_depend_on_each_other_are_one_item() -> None:
    """Another thread might not have written yet what the second nest reads."""
    function = scheduled(softmax, (6, 10))
    x = random(6, 10)
    assert items(function) == 1
    np.testing.assert_allclose(run(function, x, (0, 0), (0, 1), (1, 1)), softmax_of(x), atol=1e-6)


def test_gather_reads_where_indices_say() -> None:
    order = [5, 0, 3, 3]

    def gather(x: te.Tensor) -> te.Tensor:
        index = te.compute((4,), lambda i: tirx.Select(i == 0, 5, tirx.Select(i == 1, 0, 3)))
        return te.compute((4, 6), lambda i, j: x(index(i), j))

    function = scheduled(gather, (8, 6))
    x = random(8, 6)
    np.testing.assert_array_equal(run(function, x, *halves(function)), x[order])


def test_other_functions_of_a_module_stay() -> None:
    source = te.placeholder((2,), "float32", "x")
    module = tvm.IRModule({"main": te.create_prim_func([source, doubled(source)])})
    relaxed = tvm.relax.BlockBuilder()
    x = tvm.relax.Var("x", tvm.relax.TensorType([2], "float32"))
    with relaxed.function("other", [x]):
        relaxed.emit_func_output(x)
    module.update(relaxed.get())
    assert schedule(module)["other"].same_as(module["other"])


def count(function: tirx.PrimFunc, kind: type) -> int:
    return sum(isinstance(one, kind) for one in statements(function.body))
