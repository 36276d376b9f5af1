"""For kernels that make their own input: norms move into the linear layers that read them.

These passes run after those of passes.py, for targets whose kernels can (`KernelSet.fused`): a
launch costs a GPU more than every workgroup of the next one norming its tokens once more.
"""

from __future__ import annotations

from dataclasses import replace

from tvm import relax

from compiler.graph import ops
from compiler.graph.attention import SETTINGS
from compiler.graph.canonicalize import PLAIN
from compiler.graph.program import Program
from compiler.graph.rewrite import Rule, View, dump, rewrite

NORMS = {"webkiln.rms_norm": "rms", "webkiln.layer_norm": "layer"}
FIRST_DUMP = 50  # WEBKILN_DUMP's number of the first pass, after those of passes.py


def passes() -> list[tuple[str, Rule]]:
    """(name, rule) of every pass."""
    return [
        ("fuse-sum", fuse_sum),
        ("fuse-norm", fuse_norm),
        ("fuse-append", fuse_append),
        ("defer-sum", defer_sum),
        ("defer-combine", defer_combine),
    ]


def fuse_prologues(program: Program) -> Program:
    """Runs every pass, then leaves one of what several layers compute alike (`place`)."""
    for index, (name, rule) in enumerate(passes()):
        program = rewrite(program, rule)
        dump(program, FIRST_DUMP + index, name)
    module = relax.transform.EliminateCommonSubexpr()(program.module)
    return replace(program, module=module)


def fuse_sum(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """skip + rms_norm(x) becomes one operator: norms after attention and MLP, as in Gemma 2."""
    if ops.name(value) != "relax.add":
        return None
    for skip, normed in (value.args, reversed(value.args)):
        norm = view.call(normed, "webkiln.rms_norm")
        if norm is None or not view.used_once(normed) or ops.is_param(view.base(skip)):
            continue
        x, weight = ops.operands(norm)
        if not ops.shape(skip) == ops.shape(normed) == ops.shape(x):
            continue
        settings = {"epsilon": ops.setting(norm, "epsilon"), "deferred": False, "kept": False}
        return ops.make("add_norm", [x, skip, weight], ops.shape(var), **settings)
    return None


def defer_sum(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """add_norm leaves its work to its first reader, if that is a linear layer."""
    if ops.name(value) != "webkiln.add_norm" or ops.setting(value, "deferred"):
        return None
    readers = view.readers(var)
    if not readers or not _takes(view, readers[0], var):
        return None
    settings = {"epsilon": ops.setting(value, "epsilon"), "kept": len(readers) > 1}
    return ops.make("add_norm", ops.operands(value), ops.shape(var), deferred=True, **settings)


def fuse_norm(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """linear(norm(x)) becomes one operator, where nothing but linear layers reads norm(x)."""
    if ops.name(value) != "webkiln.linear" or ops.setting(value, "norm") != "none":
        return None
    x, *rest = ops.operands(value)
    normed = view.base(x)
    norm = view.value(normed)
    if ops.name(norm) not in NORMS:
        return None
    if not all(_takes(view, reader, normed) for reader in view.readers(normed)):
        return None
    before, *weights = ops.operands(norm)
    args = [relax.op.reshape(before, ops.shape(x)), *rest, *weights]
    settings = {key: ops.setting(value, key) for key in PLAIN}
    settings["norm"] = NORMS[ops.name(norm)]
    settings["epsilon"] = float(ops.setting(norm, "epsilon"))
    return ops.make("linear", args, ops.shape(value), **settings)


def _takes(view: View, reader: relax.Var, x: relax.Expr) -> bool:
    """Whether `reader` is a linear layer of `x` (and of nothing else in `x`'s place) that can
    make its rows itself."""
    value = view.value(reader)
    if ops.name(value) not in ("webkiln.linear", "webkiln.project_append"):
        return False
    first, *rest = ops.operands(value)
    whole_rows = ops.shape(first)[-1] == ops.shape(x)[-1] and ops.shape(x)[-1] % 4 == 0
    elsewhere = any(view.base(operand) == x for operand in rest)
    return whole_rows and bool(view.base(first) == x) and not elsewhere


def defer_combine(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """One token's attend leaves it to its readers to combine what workgroups found, if all are
    linear layers of nothing else."""
    if ops.name(value) != "webkiln.attend" or ops.setting(value, "deferred"):
        return None
    readers = view.readers(var)
    if not readers or not all(_combines(view, reader, var) for reader in readers):
        return None
    keys = ("layer", "kv_heads", *SETTINGS)
    settings = {key: ops.setting(value, key) for key in keys}
    return ops.make("attend", ops.operands(value), ops.shape(var), deferred=True, **settings)


def _combines(view: View, reader: relax.Var, attended: relax.Var) -> bool:
    value = view.value(reader)
    if ops.name(value) != "webkiln.linear" or ops.setting(value, "norm") != "none":
        return False
    first, *rest = ops.operands(value)
    rows, heads, depth = ops.shape(attended)
    one_row = ops.shape(first) == (1, heads * depth) and rows == 1
    elsewhere = any(view.base(operand) == attended for operand in rest)
    return one_row and bool(view.base(first) == attended) and not elsewhere


def fuse_append(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """append(linear(x)) becomes one operator, where query, key and value are one projection that
    nothing else reads."""
    if ops.name(value) != "webkiln.append" or not ops.setting(value, "packed"):
        return None
    packed, *extra = ops.operands(value)
    linear = view.call(packed, "webkiln.linear")
    if linear is None or not view.used_once(packed) or not _is_projection(linear):
        return None
    rotary, (rows, _, depth) = int(ops.setting(value, "rotary")), ops.shape(value)
    if rotary % 2 or depth % 2:
        return None
    tables, norms = extra[: 2 if rotary else 0], extra[2 if rotary else 0 :]
    place = ops.make("place", tables, (rows, 1 + 2 * rotary))
    settings = {key: ops.setting(linear, key) for key in PLAIN}
    settings |= {key: ops.setting(value, key) for key in ("layer", "kv_heads", "rotary", "normed")}
    settings["head_epsilon"] = ops.setting(value, "epsilon")
    args = [*ops.operands(linear), place, *norms]
    return ops.make("project_append", args, ops.shape(value), **settings)


def _is_projection(linear: relax.Call) -> bool:
    changes = ("residual", "gated")
    plain = not any(ops.setting(linear, key) for key in changes)
    return plain and ops.setting(linear, "activation") == "none"
