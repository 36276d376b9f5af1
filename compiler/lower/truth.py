"""Truth values that pass from kernel to kernel, as i32: WGSL has none in memory."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax, te

from compiler.graph import ops
from compiler.graph.rewrite import View


def keep_as_integers(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    """Every value that is not fused with its only reader: no reshape is."""
    if not isinstance(value, relax.Call) or isinstance(value.op, relax.ExternFunc):
        return None
    read = [arg for arg in value.args if _kept(view, arg)]
    if not read and not _kept(view, var):
        return None
    if ops.name(value) == "relax.reshape":
        return relax.op.reshape(value.args[0], ops.shape(value))
    args = [_truth(arg) if arg in read else arg for arg in value.args]
    new = relax.Call(value.op, args, value.attrs, value.ty_args)
    return relax.op.astype(new, "int32") if _kept(view, var) else new


def _kept(view: View, expr: relax.Expr) -> bool:
    if not isinstance(expr, relax.Var) or getattr(expr.ty, "dtype", None) != "bool":
        return False
    around = [expr, *view.direct_readers(expr)]
    reshaped = any(ops.name(view.value(each)) == "relax.reshape" for each in around)
    return reshaped or len(around) > 2


def constants_as_integers(module: tvm.IRModule) -> tvm.IRModule:
    """The same of what TVM has computed in advance; a kernel that is fused takes them back."""
    mutator = _Constants(module)
    main = mutator.visit_expr(module["main"])
    mutator.builder_.update_func(module.get_global_var("main"), main)
    return mutator.builder_.get()


@relax.expr_functor.mutator
class _Constants(relax.PyExprMutator):  # type: ignore[misc]
    def visit_generic_const_(self, constant: Any) -> relax.Expr:
        if str(constant.ty.dtype) != "bool":
            return constant
        numbers = relax.const(constant.value.numpy().astype("int32"))
        return self.builder_.emit_te(_nonzero, numbers)


def _nonzero(x: te.Tensor) -> te.Tensor:
    return te.compute(x.shape, lambda *i: x(*i) != 0, name="nonzero")


def _truth(integer: relax.Expr) -> relax.Expr:
    return relax.op.not_equal(integer, relax.const(0, "int32"))
