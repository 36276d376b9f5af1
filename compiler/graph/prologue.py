"""For kernels that make their own input: norms move into the linear layers that read them.

These passes run after those of passes.py, for targets whose kernels can (`KernelSet.fused`): a
launch costs a GPU more than every workgroup of the next one norming its tokens once more.
"""

from __future__ import annotations

from tvm import relax

from compiler.graph import ops
from compiler.graph.canonicalize import PLAIN
from compiler.graph.program import Program
from compiler.graph.rewrite import Rule, View, dump, rewrite

NORMS = {"webkiln.rms_norm": "rms", "webkiln.layer_norm": "layer"}
PASSES: list[tuple[str, Rule]] = []


def fuse_prologues(program: Program) -> Program:
    """Runs every pass."""
    for index, (name, rule) in enumerate(PASSES):
        program = rewrite(program, rule)
        dump(program, 50 + index, name)
    return program


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
    if ops.name(value) != "webkiln.linear":
        return False
    first, *rest = ops.operands(value)
    whole_rows = ops.shape(first)[-1] == ops.shape(x)[-1] and ops.shape(x)[-1] % 4 == 0
    elsewhere = any(view.base(operand) == x for operand in rest)
    return whole_rows and bool(view.base(first) == x) and not elsewhere


PASSES.append(("fuse-norm", fuse_norm))
