"""Weights whose codes have their inputs in an order of their own (GPTQ's act-order)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tvm import relax

from compiler.checkpoint.base import IntArray
from compiler.graph import ops
from compiler.graph.canonicalize import PLAIN
from compiler.graph.program import Recipe, Rows, Sorted, Source
from compiler.graph.rewrite import Rule, View

Orders: TypeAlias = Callable[[Recipe], "IntArray | None"]  # the input of each column of the codes


def none(recipe: Recipe) -> IntArray | None:
    """All inputs are in order."""
    return None


def sort_inputs(orders: Orders) -> Rule:
    """linear(x, weight) becomes linear(x[:, order], weight in that order), where groups of inputs
    that share a scale lie apart otherwise."""

    def rule(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
        if ops.name(value) != "webkiln.linear":
            return None
        x, weight, *rest = ops.operands(value)
        recipe = view.recipe(weight)
        order = None if recipe is None else orders(recipe)
        if recipe is None or order is None:
            return None
        taken = relax.op.take(x, relax.const(order, "int32"), axis=1)
        own = view.weight(f"{weight.name}_sorted", _sorted(recipe), ops.shape(weight))
        settings = {key: ops.setting(value, key) for key in PLAIN}
        return ops.make("linear", [taken, own, *rest], ops.shape(value), **settings)

    return rule


def _sorted(recipe: Recipe) -> Recipe:
    match recipe:
        case Source():
            return Sorted(recipe)
        case Rows(parts):
            return Rows(tuple(_sorted(part) for part in parts))
        case _:
            raise AssertionError("only stored weights have an order")
