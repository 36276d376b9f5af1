"""The smallest programs that passes change, and what they look like before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from tvm import relax
from tvm.relax import op as R

from compiler.graph import ops
from compiler.graph.program import Program, Recipe, Source, sources
from compiler.graph.rewrite import VIEWS, Rule, rewrite
from tests.unit.graph.interpret import Tensors, evaluate

Shape = tuple[int, ...]


class Graph:
    """A program under construction: `g.x` is a parameter, `g(expr)` binds an expression."""

    def __init__(self, builder: relax.BlockBuilder, params: Mapping[str, relax.Var]) -> None:
        self._builder = builder
        self._params = params

    def __call__(self, expr: Any) -> relax.Var:
        return self._builder.emit(expr)

    def __getattr__(self, name: str) -> relax.Var:
        return self._params[name]

    def linear(self, x: relax.Expr, weight: relax.Expr) -> relax.Var:
        """x weight^T as torch exports it."""
        return self(R.matmul(x, self(R.permute_dims(weight))))

    def rms_norm(self, x: relax.Expr, weight: relax.Expr, epsilon: float = 1e-5) -> relax.Var:
        """As Llama spells it."""
        mean = self(R.mean(self(R.power(x, number(2))), axis=[-1], keepdims=True))
        factor = self(R.rsqrt(self(R.add(mean, number(epsilon)))))
        return self(R.multiply(weight, self(R.multiply(x, factor))))


Emit = Callable[[Graph], relax.Expr]


def number(value: float) -> relax.Expr:
    return relax.const(value, "float32")


def program(
    emit: Emit,
    inputs: Mapping[str, Shape],
    weights: Mapping[str, Shape] | None = None,
    integers: tuple[str, ...] = (),
) -> Program:
    """`main(inputs..., weights...) -> (emit(graph),)`; each weight is the tensor of its name."""
    weights = weights or {}
    shapes = {**inputs, **weights}
    params = {
        name: relax.Var(
            name, relax.TensorType(list(shape), "int32" if name in integers else "float32")
        )
        for name, shape in shapes.items()
    }
    builder = relax.BlockBuilder()
    with builder.function("main", list(params.values())):
        with builder.dataflow():
            result = emit(Graph(builder, params))
            out = builder.emit_output(relax.Tuple([result]))
        builder.emit_func_output(out)
    return Program(builder.get(), {name: Source(name) for name in weights})


def operators(made: Program) -> list[str]:
    """Names of the operators of `main` in order, without views."""
    bindings = made.module["main"].body.blocks[0].bindings
    names = [ops.name(binding.value) for binding in bindings]
    return [name for name in names if name and name not in VIEWS]


def only(made: Program, name: str) -> relax.Call:
    """The one call of operator `name`."""
    found = ops.calls(made.module, name)
    assert len(found) == 1, f"{len(found)} calls of {name} in {operators(made)}"
    return found[0]


def settings(made: Program, name: str, *keys: str) -> tuple[Any, ...]:
    call = only(made, name)
    return tuple(ops.setting(call, key) for key in keys)


def recipes(made: Program) -> list[Recipe]:
    return list(made.weights.values())


def same_coding(recipes: list[Recipe]) -> bool:
    """Every weight may be packed with every other."""
    return True


def changed(before: Program, rule: Rule) -> Program:
    """`before` after `rule`, which must compute what it did."""
    after = rewrite(before, rule)
    assert_same(before, after)
    return after


def assert_unchanged(before: Program, rule: Rule) -> None:
    """`rule` finds nothing to replace."""
    assert operators(changed(before, rule)) == operators(before)


def assert_same(before: Program, after: Program) -> None:
    """Both compute the same of random inputs and weights, but for rounding."""
    inputs, checkpoint = _random(before)
    expected = evaluate(before, inputs, checkpoint)
    got = evaluate(after, inputs, checkpoint)
    for a, b in zip(expected, got, strict=True):
        torch.testing.assert_close(
            b, a, rtol=1e-4, atol=1e-5, equal_nan=True
        )  # sums of at most 32 products


def _random(made: Program) -> tuple[Tensors, Tensors]:
    torch.manual_seed(0)
    inputs: Tensors = {}
    checkpoint: Tensors = {}
    for param in made.module["main"].params:
        shape = ops.shape(param)
        if ops.dtype(param) == "int32":
            inputs[param.name] = torch.randint(0, 4, shape, dtype=torch.int32)
        elif (recipe := made.weights.get(param.name)) is not None:
            checkpoint[sources(recipe)[0]] = torch.randn(shape)
        else:
            inputs[param.name] = torch.randn(shape)
    return inputs, checkpoint
