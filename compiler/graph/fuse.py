"""What a linear layer takes along: an activation, a gated product, a residual."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tvm import relax

from compiler.graph import ops
from compiler.graph.canonicalize import PLAIN
from compiler.graph.program import Recipe, Rows
from compiler.graph.rewrite import Rule, View

# Whether weights can be stored as one tensor: quantised sources may code them differently.
SameCoding: TypeAlias = Callable[[list[Recipe]], bool]

ACTIVATIONS = {
    "relax.nn.silu": "silu",
    "relax.nn.gelu": "gelu",
    "relax.nn.gelu_tanh": "gelu_tanh",
    "relax.nn.relu": "relu",
}


def fuse_gated_mlp(same_coding: SameCoding) -> Rule:
    """activation(gate(x)) * up(x) becomes one product over the gate and up rows (GLU variants,
    Shazeer, arXiv 2002.05202), where both weights can share one coding."""

    def rule(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
        if ops.name(value) != "relax.multiply":
            return None
        for gate, up in (value.args, reversed(value.args)):
            activated = view.value(view.base(gate))
            if ops.name(activated) not in ACTIVATIONS or not view.used_once(gate):
                continue
            pair = [view.call(expr, "webkiln.linear") for expr in (activated.args[0], up)]
            if ops.shape(gate) != ops.shape(up):
                continue
            if pair[0] is None or pair[1] is None or not can_group(view, pair, same_coding):
                continue
            if not (view.used_once(activated.args[0]) and view.used_once(up)):
                continue
            settings = {"gated": True, "activation": ACTIVATIONS[ops.name(activated)]}
            grouped = group(view, pair, ops.shape(pair[0])[1], **settings)
            return relax.op.reshape(grouped, ops.shape(var))
        return None

    return rule


def can_group(view: View, calls: list[relax.Call], same_coding: SameCoding) -> bool:
    """Whether linear layers have one input, nothing fused but biases, and one coding."""
    first = calls[0]
    for call in calls:
        if not _same_rows(view, ops.operands(call)[0], ops.operands(first)[0]):
            return False
        settings = {key: ops.setting(call, key) for key in PLAIN}
        if settings != {**PLAIN, "bias": ops.setting(first, "bias")}:
            return False
    recipes = [view.recipe(ops.operands(call)[1]) for call in calls]
    known = [recipe for recipe in recipes if recipe is not None]
    return len(known) == len(calls) and same_coding(known)


def _same_rows(view: View, a: relax.Expr, b: relax.Expr) -> bool:
    return bool(view.base(a) == view.base(b)) and ops.shape(a) == ops.shape(b)


def group(view: View, calls: list[relax.Call], width: int, **settings: object) -> relax.Call:
    """One linear layer over the rows of all `calls`; the result is `width` wide."""
    x = ops.operands(calls[0])[0]
    columns = ops.shape(ops.operands(calls[0])[1])[1]
    args = [x, _stack(view, [ops.operands(call)[1] for call in calls], columns)]
    has_bias = bool(ops.setting(calls[0], "bias"))
    if has_bias:
        args.append(_stack(view, [ops.operands(call)[2] for call in calls], 0))
    shape = (ops.shape(x)[0], width)
    return ops.make("linear", args, shape, **{**PLAIN, "bias": has_bias, **settings})


def _stack(view: View, weights: list[relax.Expr], columns: int) -> relax.Var:
    recipes = tuple(_known(view.recipe(weight)) for weight in weights)
    rows = sum(ops.shape(weight)[0] for weight in weights)
    shape = (rows, columns) if columns else (rows,)
    return view.weight("_and_".join(w.name for w in weights), Rows(recipes), shape)


def _known(recipe: Recipe | None) -> Recipe:
    if recipe is None:
        raise AssertionError("only weights are grouped")
    return recipe


def fuse_activation(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """activation(linear(x)) becomes one operator."""
    if ops.name(value) not in ACTIVATIONS or not view.used_once(value.args[0]):
        return None
    linear = view.call(value.args[0], "webkiln.linear")
    if linear is None or ops.setting(linear, "activation") != "none":
        return None
    if ops.setting(linear, "residual"):
        return None
    settings = {**PLAIN, "bias": ops.setting(linear, "bias")}
    settings["activation"] = ACTIVATIONS[ops.name(value)]
    fused = ops.make("linear", ops.operands(linear), ops.shape(linear), **settings)
    return relax.op.reshape(fused, ops.shape(var))


def chain_residuals(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """x + (linear(y) + linear(z)) becomes linear(z) + (linear(y) + x), so that both can add as
    they write: attention and MLP side by side, as in Phi and GPT-NeoX."""
    if ops.name(value) != "relax.add":
        return None
    for x, inner in (value.args, reversed(value.args)):
        products = view.call(inner, "relax.add")
        if products is None or not view.used_once(inner) or ops.is_param(view.base(x)):
            continue
        if len({ops.shape(term) for term in (x, inner, *products.args)}) > 1:
            continue
        linears = [view.call(term, "webkiln.linear") for term in products.args]
        if None not in linears and all(view.used_once(term) for term in products.args):
            first, second = products.args
            return relax.op.add(second, relax.op.add(first, x))
    return None


def fuse_residual(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """x + linear(y) becomes one operator that adds x as it writes."""
    if ops.name(value) != "relax.add":
        return None
    for residual, product in (value.args, reversed(value.args)):
        linear = view.call(product, "webkiln.linear")
        if linear is None or ops.shape(residual) != ops.shape(product):
            continue
        if not view.used_once(product) or ops.is_param(view.base(residual)):
            continue
        settings = {key: ops.setting(linear, key) for key in PLAIN}
        if settings != {**PLAIN, "bias": settings["bias"]}:
            continue
        shape = ops.shape(linear)
        args = [*ops.operands(linear), relax.op.reshape(residual, shape)]
        fused = ops.make("linear", args, shape, **{**settings, "residual": True})
        return relax.op.reshape(fused, ops.shape(var))
    return None
