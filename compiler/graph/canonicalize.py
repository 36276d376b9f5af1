"""Canonical operators: what exporters spell in many ways is spelled in one."""

from __future__ import annotations

from tvm import relax

from compiler.errors import UnsupportedModelError
from compiler.graph import ops
from compiler.graph.program import ARITHMETIC, Elementwise, Stacked, Transposed
from compiler.graph.rewrite import View


def fold_weight_arithmetic(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """weight + 1 (Gemma's norms) becomes a weight of its own, computed when the bundle is written.

    Emitted as a view so that users of `var` see a weight parameter behind it.
    """
    name = ops.name(value)
    if name not in ARITHMETIC:
        return None
    left, right = (view.base(arg) for arg in value.args)
    if name in ("relax.add", "relax.multiply") and ops.constant(left) is not None:
        left, right = right, left
    recipe, number = view.recipe(left), ops.constant(right)
    if recipe is None or number is None or ops.dtype(left) != "float32":
        return None
    folded = view.weight(
        f"{left.name}_{var.name}", Elementwise(name, recipe, number), ops.shape(left)
    )
    return relax.op.reshape(folded, ops.shape(value))


def drop_empty(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """Parts of a concatenation without elements are left out: what is not rotated of a head that
    is rotated whole. So are writes of none, of a kind of position that a short head has not."""
    if ops.name(value) == "relax.slice_scatter" and 0 in ops.shape(value.args[1]):
        return value.args[0]
    if ops.name(value) != "relax.concat":
        return None
    fields = list(value.args[0].fields)
    full = [field for field in fields if 0 not in ops.shape(field)]
    if len(full) == len(fields) or not full:
        return None
    return full[0] if len(full) == 1 else relax.op.concat(full, value.attrs["axis"])


def drop_identity(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """x * 1.0, a cast to the same type and a reshape to the same shape are x."""
    name = ops.name(value)
    times_one = name == "relax.multiply" and ops.constant(value.args[1]) == 1.0
    if not times_one and name not in ("relax.astype", "relax.reshape"):
        return None
    x = value.args[0]
    same = ops.dtype(x) == ops.dtype(var) and ops.shape(x) == ops.shape(var)
    return x if same else None


def canonical_linear(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """matmul(x, weight^T) and GPT-2's matmul(x, weight) become `linear` over weight (N, K)."""
    if ops.name(value) != "relax.matmul":
        return None
    weight = _weight_of(view, value.args[1])
    if weight is None:
        return None
    columns, count = ops.shape(weight)[1], ops.shape(weight)[0]
    rows = _rows(ops.shape(value.args[0]))
    x = relax.op.reshape(value.args[0], (rows, columns))
    return relax.op.reshape(ops.make("linear", [x, weight], (rows, count), **PLAIN), ops.shape(var))


def canonical_experts(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """The matrices of experts become one matrix, transposed where they have to be."""
    if ops.name(value) != "webkiln.expert_linear" or len(ops.shape(ops.operands(value)[2])) != 3:
        return None
    x, chosen, weight = ops.operands(value)
    recipe = view.recipe(view.base(weight))
    if recipe is None:
        raise UnsupportedModelError("experts' weights that are computed are not supported yet")
    count, *_ = ops.shape(weight)
    turned = bool(ops.setting(value, "transposed"))
    columns = ops.shape(weight)[1 if turned else 2]
    recipe = Stacked(Transposed(recipe) if turned else recipe)
    shape = (count * ops.shape(var)[1], columns)
    stacked = view.weight(f"{view.base(weight).name}_stacked", recipe, shape)
    return ops.make("expert_linear", [x, chosen, stacked], ops.shape(var), experts=count)


# Settings of a `linear` before anything is fused into it.
PLAIN: dict[str, object] = {
    "bias": False,
    "residual": False,
    "gated": False,
    "activation": "none",
    "norm": "none",
    "epsilon": 0.0,
}


def _weight_of(view: View, expr: relax.Expr) -> relax.Expr | None:
    """The (N, K) weight parameter behind the second operand of a product, if it is one."""
    value = view.value(expr)
    if ops.name(value) == "relax.permute_dims" and ops.axes(value) == [1, 0]:
        source = view.base(value.args[0])
        same = ops.shape(source) == ops.shape(value.args[0])
        return source if same and view.recipe(source) is not None else None
    recipe = view.recipe(expr)
    if recipe is None or len(ops.shape(expr)) != 2:
        return None
    columns, count = ops.shape(expr)
    return view.weight(f"{expr.name}_transposed", Transposed(recipe), (count, columns))


def canonical_bias(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """linear + bias becomes one operator."""
    if ops.name(value) != "relax.add":
        return None
    for added, product in (value.args, reversed(value.args)):
        linear = view.call(product, "webkiln.linear")
        bias = view.base(added)
        if linear is None or view.recipe(bias) is None or not ops.broadcasts_last(added):
            continue
        if {key: ops.setting(linear, key) for key in PLAIN} != PLAIN or not view.used_once(product):
            continue
        shape = ops.shape(linear)
        if ops.shape(bias) != (shape[1],) or ops.shape(product)[-1] != shape[1]:
            continue
        fused = ops.make("linear", [*ops.operands(linear), bias], shape, **{**PLAIN, "bias": True})
        return relax.op.reshape(fused, ops.shape(var))
    return None


MOST_ROWS = 65535  # workgroups along an axis of a GPU's grid; relative positions may need more


def canonical_embedding(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """take(weight, ids) along the first axis becomes `embed`."""
    if ops.name(value) != "relax.take" or view.recipe(value.args[0]) is None:
        return None
    table, ids = value.args
    if len(ops.shape(table)) != 2 or int(value.attrs["axis"] or 0) != 0:
        return None
    rows = _rows((*ops.shape(ids), 1))
    if rows > MOST_ROWS:
        return None
    embed = ops.make("embed", [relax.op.reshape(ids, (rows,)), table], (rows, ops.shape(table)[1]))
    return relax.op.reshape(embed, ops.shape(var))


def canonical_activation(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """x * sigmoid(x) is silu; the tanh formula of GPT-2's GELU is gelu_tanh."""
    if ops.name(value) != "relax.multiply":
        return None
    for x, gate in (value.args, reversed(value.args)):
        sigmoid = view.value(gate)
        same_shape = ops.shape(x) == ops.shape(gate)
        if ops.name(sigmoid) != "relax.sigmoid" or not same_shape:
            continue
        if view.base(sigmoid.args[0]) == view.base(x):
            return relax.op.nn.silu(x)
    x = _gelu_tanh_input(view, value)
    return None if x is None else relax.op.nn.gelu_tanh(x)


def _gelu_tanh_input(view: View, value: relax.Expr) -> relax.Expr | None:
    """x of 0.5 x (1 + tanh(0.79788 (x + 0.044715 x^3))), Hendrycks and Gimpel, arXiv 1606.08415."""
    half, one_plus = (view.value(arg) for arg in value.args)
    x = _scaled(half, 0.5)
    tanh = _shifted(one_plus, 1.0)
    if x is None or tanh is None or ops.name(view.value(tanh)) != "relax.tanh":
        return None
    inner = _scaled(view.value(view.value(tanh).args[0]), 0.7978845608)
    total = view.value(inner) if inner is not None else inner
    if total is None or ops.name(total) != "relax.add" or total.args[0] != x:
        return None
    cube = _scaled(view.value(total.args[1]), 0.044715)
    power = view.value(cube) if cube is not None else cube
    if power is None or ops.name(power) != "relax.power" or power.args[0] != x:
        return None
    return x if ops.constant(power.args[1]) == 3.0 else None


def _scaled(value: relax.Expr, factor: float) -> relax.Expr | None:
    return _with_constant(value, "relax.multiply", factor)


def _shifted(value: relax.Expr, offset: float) -> relax.Expr | None:
    return _with_constant(value, "relax.add", offset)


def _with_constant(value: relax.Expr, name: str, number: float) -> relax.Expr | None:
    """x of `x op number`, the constant compared as f32 would hold it."""
    if ops.name(value) != name:
        return None
    found = ops.constant(value.args[1])
    return value.args[0] if found is not None and abs(found - number) < 1e-6 * number else None


def _rows(shape: tuple[int, ...]) -> int:
    rows = 1
    for extent in shape[:-1]:
        rows *= extent
    return rows
