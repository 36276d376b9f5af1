"""Sorting, choosing and scattering without order, against PyTorch, as LLVM runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import tvm
from tvm import relax

from compiler.lower.selection import LEGALISATIONS

X = torch.tensor(np.random.default_rng(3).permutation(60).reshape(3, 20), dtype=torch.float32)


def run(
    make: Callable[..., relax.Expr], *inputs: torch.Tensor, lowered: Any = LEGALISATIONS
) -> list[np.ndarray]:
    """Lowers an operator with our legalisations alone and runs it on this machine."""
    builder = relax.BlockBuilder()
    kinds = [(list(x.shape), str(x.dtype).removeprefix("torch.")) for x in inputs]
    params = [relax.Var(f"x{i}", relax.TensorType(*kind)) for i, kind in enumerate(kinds)]
    with builder.function("main", params):
        builder.emit_func_output(builder.emit(make(*params)))
    module = relax.transform.LegalizeOps(lowered)(builder.get())
    machine = relax.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())
    result = machine["main"](*[tvm.runtime.tensor(x.numpy()) for x in inputs])
    return [result.numpy()] if hasattr(result, "numpy") else [part.numpy() for part in result]


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_topk(largest: bool, axis: int) -> None:
    values, indices = run(lambda x: relax.op.topk(x, 2, axis, "both", largest, "int32"), X)
    expected = torch.topk(X, 2, axis, largest)
    np.testing.assert_array_equal(values, expected.values.numpy())
    np.testing.assert_array_equal(indices, expected.indices.numpy())
    assert indices.dtype == np.int32


def test_of_equal_values_the_first_is_chosen() -> None:
    (indices,) = run(
        lambda x: relax.op.topk(x, 3, -1, "indices", True, "int32"), torch.tensor([[1.0, 2, 2, 1]])
    )
    np.testing.assert_array_equal(indices, [[1, 2, 0]])


@pytest.mark.parametrize("descending", [True, False])
def test_sort_and_argsort(descending: bool) -> None:
    expected = torch.sort(X, 1, descending)
    (values,) = run(lambda x: relax.op.sort(x, 1, descending), X)
    (indices,) = run(lambda x: relax.op.argsort(x, 1, descending, "int32"), X)
    np.testing.assert_array_equal(values, expected.values.numpy())
    np.testing.assert_array_equal(indices, expected.indices.numpy())


@pytest.mark.parametrize("reduction", ["update", "add"])
def test_scatter_along_each_axis(reduction: str) -> None:
    where = torch.tensor([[1, 7, 3], [0, 19, 4]], dtype=torch.int32)  # a part of the rows
    updates = torch.tensor([[-1.0, -2, -3], [-4, -5, -6]])
    (got,) = run(
        lambda x, i, u: relax.op.scatter_elements(x, i, u, 1, reduction), X, where, updates
    )
    expected = X.clone()
    if reduction == "add":
        expected.scatter_add_(1, where.long(), updates)
    else:
        expected.scatter_(1, where.long(), updates)
    np.testing.assert_array_equal(got, expected.numpy())


@pytest.mark.parametrize("axis", [0, 1])
def test_cumsum(axis: int) -> None:
    counted = torch.tensor(np.random.default_rng(5).integers(0, 2, (4, 9)), dtype=torch.int32)
    (sums,) = run(lambda x: relax.op.cumsum(x, axis, "int32"), counted)
    np.testing.assert_array_equal(sums, counted.cumsum(axis).numpy())
