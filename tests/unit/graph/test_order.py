"""Weights with their inputs in an order of their own."""

from __future__ import annotations

import numpy as np
from tvm import relax

from compiler.checkpoint.base import IntArray
from compiler.graph import canonicalize, fuse, ops
from compiler.graph.order import none, sort_inputs
from compiler.graph.program import Program, Recipe, Rows, Sorted, Source
from compiler.graph.rewrite import rewrite
from tests.unit.graph.programs import Graph, only, operators, program, recipes

ORDER = np.array([2, 0, 3, 1], np.int32)
WEIGHTS = {"gate": (6, 4), "up": (6, 4)}


def gated() -> Program:
    """silu(gate(x)) * up(x) as one product."""

    def emit(g: Graph) -> relax.Expr:
        return g(relax.op.multiply(g(relax.op.nn.silu(g.linear(g.x, g.gate))), g.linear(g.x, g.up)))

    before = program(emit, {"x": (3, 4)}, WEIGHTS)
    for rule in (canonicalize.canonical_linear, fuse.fuse_gated_mlp(lambda recipes: True)):
        before = rewrite(before, rule)
    return before


def test_inputs_are_taken_in_the_order_of_the_codes() -> None:
    asked: list[Recipe] = []

    def orders(recipe: Recipe) -> IntArray | None:
        asked.append(recipe)
        return ORDER

    before = gated()
    after = rewrite(before, sort_inputs(orders))
    assert operators(after) == ["relax.take", "webkiln.linear"]
    take = only(after, "relax.take")
    np.testing.assert_array_equal(take.args[1].value.numpy(), ORDER)
    assert int(take.attrs["axis"]) == 1
    linear, was = only(after, "webkiln.linear"), only(before, "webkiln.linear")
    assert all(ops.setting(linear, key) == ops.setting(was, key) for key in canonicalize.PLAIN)
    assert asked == [Rows((Source("gate"), Source("up")))]
    assert recipes(after) == [Rows((Sorted(Source("gate")), Sorted(Source("up"))))]


def test_without_an_order_nothing_changes() -> None:
    after = rewrite(gated(), sort_inputs(none))
    assert operators(after) == ["webkiln.linear"]
    assert recipes(after) == [Rows((Source("gate"), Source("up")))]
