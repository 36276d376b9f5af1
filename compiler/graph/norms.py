"""RMSNorm and LayerNorm."""

from __future__ import annotations

from tvm import relax

from compiler.graph import ops
from compiler.graph.rewrite import View


def recognise_rms_norm(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """weight * (x * rsqrt(mean(x^2) + epsilon)), Zhang and Sennrich, arXiv 1910.07467."""
    if ops.name(value) != "relax.multiply":
        return None
    for factor, scaled in (value.args, reversed(value.args)):
        weight = view.base(factor)
        found = _normalised(view, view.value(view.base(scaled)))
        if found is None or view.recipe(weight) is None or not ops.broadcasts_last(factor):
            continue
        x, epsilon = found
        if ops.shape(weight) == ops.shape(x)[-1:] == ops.shape(var)[-1:]:
            return ops.make("rms_norm", [x, weight], ops.shape(var), epsilon=epsilon)
    return None


def _normalised(view: View, value: relax.Expr) -> tuple[relax.Expr, float] | None:
    """(x, epsilon) of x * rsqrt(mean(x^2, last axis) + epsilon)."""
    if ops.name(value) != "relax.multiply":
        return None
    for x, factor in (value.args, reversed(value.args)):
        rsqrt = view.value(factor)
        if ops.name(rsqrt) != "relax.rsqrt":
            continue
        total = view.value(rsqrt.args[0])
        epsilon = ops.constant(total.args[1]) if ops.name(total) == "relax.add" else None
        if epsilon is None:
            continue
        mean = view.value(total.args[0])
        if _is_row_mean(mean, x) and _is_square(view.value(mean.args[0]), view, x):
            return x, epsilon
    return None


def _is_row_mean(value: relax.Expr, x: relax.Expr) -> bool:
    """Whether `value` is a mean over the last axis of something shaped as `x`, the axis kept."""
    if ops.name(value) != "relax.mean" or ops.shape(value.args[0]) != ops.shape(x):
        return False
    rank, axes = len(ops.shape(x)), value.attrs["axis"]
    last = axes is not None and [int(axis) % rank for axis in axes] == [rank - 1]
    return last and bool(value.attrs["keepdims"])


def _is_square(value: relax.Expr, view: View, x: relax.Expr) -> bool:
    if ops.name(value) == "relax.power":
        return bool(view.base(value.args[0]) == view.base(x)) and ops.constant(value.args[1]) == 2.0
    both = ops.name(value) == "relax.multiply"
    return both and all(view.base(arg) == view.base(x) for arg in value.args)


def before_transpose(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """A norm of heads that were put first becomes one of tokens first, where `append` takes it in
    and tokens that are not there cost nothing."""
    if ops.name(value) != "webkiln.rms_norm":
        return None
    x, weight = ops.operands(value)
    turned = view.value(x)
    if ops.name(turned) != "relax.permute_dims" or ops.axes(turned) != [0, 2, 1, 3]:
        return None
    before = turned.args[0]
    settings = {"epsilon": ops.setting(value, "epsilon")}
    normed = ops.make("rms_norm", [before, weight], ops.shape(before), **settings)
    return relax.op.permute_dims(normed, [0, 2, 1, 3])


def recognise_layer_norm(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """nn.layer_norm over the last axis with weight and bias, Ba et al., arXiv 1607.06450."""
    if ops.name(value) != "relax.nn.layer_norm":
        return None
    x, weight, bias = value.args
    if any(view.recipe(view.base(p)) is None for p in (weight, bias)):
        return None
    if [int(axis) for axis in value.attrs["axes"]] not in ([-1], [len(ops.shape(x)) - 1]):
        return None
    args = [x, view.base(weight), view.base(bias)]
    return ops.make("layer_norm", args, ops.shape(var), epsilon=float(value.attrs["epsilon"]))
