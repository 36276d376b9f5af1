"""How operators become Relax where TVM's importer cannot or must not: ours, and what it lacks.

A complex tensor is one of its real and imaginary parts, along a last axis of two.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from torch import fx
from tvm import relax

from compiler.graph import ops
from compiler.trace import attention, experts, states


def _attention(node: Any, importer: Any) -> relax.Var:
    query, key, value, slopes, sinks, *settings = importer.retrieve_args(node)
    batch, heads, rows, depth = ops.shape(query)
    names = ("layer", "scale", "window", "softcap", "causal")
    call = ops.make(
        "attention",
        [query, key, value, *(x for x in (slopes, sinks) if x is not None)],
        (batch, rows, heads, depth),
        slopes=slopes is not None,
        sinks=sinks is not None,
        **dict(zip(names, settings, strict=True)),
    )
    return importer.block_builder.emit(call)


def _expert_linear(node: Any, importer: Any) -> relax.Var:
    x, chosen, weight, transposed = importer.retrieve_args(node)
    width = ops.shape(weight)[2 if transposed else 1]
    shape = (ops.shape(chosen)[0], width)
    call = ops.make("expert_linear", [x, chosen, weight], shape, transposed=bool(transposed))
    return importer.block_builder.emit(call)


def _state(node: Any, importer: Any) -> relax.Var:
    _, name, shape = importer.retrieve_args(node)
    return importer.block_builder.emit(ops.make("state", [], list(shape), of=name))


def _topk(node: fx.Node, importer: Any) -> relax.Var:
    """Sorted, whether or not that was asked for."""
    x, k, *rest = importer.retrieve_args(node)
    axis = rest[0] if rest else -1
    largest = rest[1] if len(rest) > 1 else True
    return importer.block_builder.emit(relax.op.topk(x, k, axis, "both", largest, "int64"))


def _amax(node: fx.Node, importer: Any) -> relax.Var:
    x, axes, *keep = importer.retrieve_args(node)
    return importer.block_builder.emit(relax.op.max(x, list(axes), bool(keep and keep[0])))


def _log(node: fx.Node, importer: Any) -> relax.Var:
    """Of integers too, as positions are."""
    (x,) = importer.retrieve_args(node)
    if "float" not in ops.dtype(x):
        x = importer.block_builder.emit(relax.op.astype(x, "float32"))
    return importer.block_builder.emit(relax.op.log(x))


def _erfinv(node: fx.Node, importer: Any) -> relax.Var:
    """x p(w), w = -log(1 - x^2), by the polynomials of Giles ("Approximating the erfinv function",
    GPU Computing Gems, 2011): relative error below 4e-7 inside of -1 and 1."""
    (x,) = importer.retrieve_args(node)

    def both(op: Callable[..., relax.Expr], a: relax.Expr, b: relax.Expr | float) -> relax.Expr:
        other = relax.const(b, "float32") if isinstance(b, float) else b
        return importer.block_builder.emit(op(a, other))

    def polynomial(w: relax.Expr, coefficients: Sequence[float]) -> relax.Expr:
        total = both(relax.op.multiply, w, coefficients[0])
        for coefficient in coefficients[1:-1]:
            total = both(relax.op.multiply, both(relax.op.add, total, coefficient), w)
        return both(relax.op.add, total, coefficients[-1])

    emit = importer.block_builder.emit
    rest = both(relax.op.add, emit(relax.op.negative(both(relax.op.multiply, x, x))), 1.0)
    w = emit(relax.op.negative(emit(relax.op.log(rest))))
    near = polynomial(both(relax.op.subtract, w, 2.5), _NEAR)
    far = polynomial(both(relax.op.subtract, emit(relax.op.sqrt(w)), 3.0), _FAR)
    inner = both(relax.op.less, w, 5.0)
    return both(relax.op.multiply, emit(relax.op.where(inner, near, far)), x)


# Coefficients of the inverse error function, highest power first: of w - 2.5 where w is below 5,
# else of sqrt(w) - 3.
_NEAR = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
         -0.00125372503, -0.00417768164, 0.246640727, 1.50140941)  # fmt: skip
_FAR = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
        -0.0076224613, 0.00943887047, 1.00167406, 2.83297682)  # fmt: skip


def _divide(node: fx.Node, importer: Any) -> relax.Var:
    """Rounded down or towards 0, by a number of whatever type."""
    x, y, *_ = importer.retrieve_args(node)
    kind = ops.dtype(x)
    y = relax.const(y, kind) if isinstance(y, int | float) else y
    emit = importer.block_builder.emit
    if node.kwargs["rounding_mode"] == "floor":
        return emit(relax.op.floor_divide(x, y))
    quotient = emit(relax.op.divide(x, y))
    return emit(relax.op.trunc(quotient)) if "float" in kind else quotient


def _unchanged(node: fx.Node, importer: Any) -> relax.Expr:
    return importer.retrieve_args(node)[0]


def _polar(node: fx.Node, importer: Any) -> relax.Var:
    size, angle = importer.retrieve_args(node)
    emit = importer.block_builder.emit
    parts = [emit(relax.op.multiply(size, emit(f(angle)))) for f in (relax.op.cos, relax.op.sin)]
    return emit(relax.op.stack(parts, axis=-1))


def _multiply(node: fx.Node, importer: Any) -> relax.Var:
    """Complex numbers with complex ones, with real ones, and everything else."""
    if not node.meta["val"].is_complex():
        convert = importer._binary_op(relax.op.multiply, operator.mul)
        return convert(node)
    emit = importer.block_builder.emit
    factors = []
    for argument, x in zip(node.args, importer.retrieve_args(node), strict=True):
        if not isinstance(argument, fx.Node):
            factors.append((relax.const(x, "float32"), None))
        elif argument.meta["val"].is_complex():
            axis = len(ops.shape(x)) - 1
            both = emit(relax.op.split(x, 2, axis))
            factors.append(tuple(emit(relax.op.squeeze(emit(both[i]), [axis])) for i in (0, 1)))
        else:
            factors.append((x, None))
    (a, b), (c, d) = factors

    def product(x: relax.Expr | None, y: relax.Expr | None) -> relax.Expr | None:
        return None if x is None or y is None else emit(relax.op.multiply(x, y))

    def total(x: relax.Expr | None, y: relax.Expr | None, op: Any) -> relax.Expr:
        if x is None or y is None:
            return y if x is None else x
        return emit(op(x, y))

    real = total(product(a, c), product(b, d), relax.op.subtract)
    imaginary = total(product(a, d), product(b, c), relax.op.add)
    return emit(relax.op.stack([real, imaginary], axis=-1))


CONVERTERS: dict[str, Callable[[fx.Node, Any], relax.Expr]] = {
    attention.OP: _attention,
    experts.OP: _expert_linear,
    states.OP: _state,
    "amax.default": _amax,
    "div.Tensor_mode": _divide,
    "erfinv.default": _erfinv,
    "log.default": _log,
    "mul.Tensor": _multiply,
    "polar.default": _polar,
    "topk.default": _topk,
    "view_as_complex.default": _unchanged,
    "view_as_real.default": _unchanged,
}
