"""Truth values in memory are numbers."""

from __future__ import annotations

import pytest
from tvm import relax
from tvm.relax import op as R

from compiler.graph.rewrite import rewrite
from compiler.lower.generic import Backend, legalise
from compiler.lower.truth import keep_as_integers
from tests.unit.graph.programs import Graph, number, operators, program
from tests.unit.lower.test_generic import KERNELS, listed, store

INPUTS = {"ids": (1, 3), "positions": (1, 3)}


def used_twice(g: Graph) -> relax.Expr:
    later = g(R.greater(g.positions, relax.const(1, "int32")))
    first = g(R.where(later, number(2.0), number(3.0)))
    sums = g(R.sum(g(R.where(later, first, number(5.0))), axis=[1], keepdims=True))
    return g(R.multiply(sums, g(R.where(later, number(1.0), number(-1.0)))))


def reshaped(g: Graph) -> relax.Expr:
    later = g(R.reshape(g(R.greater(g.positions, relax.const(1, "int32"))), (3, 1)))
    return g(R.where(later, number(2.0), number(3.0)))


def constant(g: Graph) -> relax.Expr:
    first = g(R.equal(g(R.arange(0, 3, 1, "int32")), relax.const(0, "int32")))
    return g(R.where(first, g(R.astype(g.positions, "float32")), number(7.0)))


@pytest.mark.parametrize("backend", KERNELS)
@pytest.mark.parametrize("emit", [used_twice, reshaped, constant])
def test_no_kernel_passes_them_on(backend: Backend, emit: object) -> None:
    assert callable(emit)
    made = program(emit, INPUTS, {}, ("ids", "positions"))
    assert listed(made, store(), backend).launches  # refuses what memory cannot hold
    for function in legalise(made, backend).module.functions.values():
        for param in getattr(function, "params", ()):
            assert str(getattr(param.ty, "dtype", "")) != "bool"


def test_one_that_is_fused_stays() -> None:
    def emit(g: Graph) -> relax.Expr:
        return g(R.where(g(R.greater(g.positions, g.ids)), number(1.0), number(0.0)))

    made = program(emit, INPUTS, {}, ("ids", "positions"))
    assert operators(rewrite(made, keep_as_integers)) == operators(made)
