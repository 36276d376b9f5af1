"""64-bit numbers become 32-bit ones: WGSL has no others, and no index of a model needs more.

Models count with PyTorch's default of 64 bits wherever they make indices themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import tvm
from tvm import relax

from compiler.errors import UnsupportedModelError
from compiler.graph import ops

NARROW = {"int64": "int32", "uint64": "uint32", "float64": "float32"}


def narrow(module: tvm.IRModule) -> tvm.IRModule:
    """`main` with every 64-bit type in it replaced; results' types follow."""
    main = module["main"]
    builder = relax.BlockBuilder()
    env: dict[relax.Var, relax.Expr] = {}
    params = []
    for param in main.params:
        env[param] = relax.Var(param.name, _type(param.ty))
        params.append(env[param])
    with builder.function("main", params, attrs=dict(main.attrs) if main.attrs else None):
        with builder.dataflow():
            for binding in main.body.blocks[0].bindings:
                value = _expr(binding.value, env)
                last = binding.var == main.body.body  # stays what it is, and is no other variable's
                env[binding.var] = value if last else builder.emit(value, binding.var.name)
            result = builder.emit_output(env[main.body.body])
        builder.emit_func_output(result)
    return builder.get()


def _expr(expr: Any, env: dict[relax.Var, relax.Expr]) -> Any:
    if isinstance(expr, relax.Var):
        return env[expr]
    if isinstance(expr, relax.Tuple):
        return relax.Tuple([_expr(field, env) for field in expr.fields])
    if isinstance(expr, relax.TupleGetItem):
        return relax.TupleGetItem(_expr(expr.tuple_value, env), expr.index)
    if isinstance(expr, tvm.ir.GenericConst):
        return _constant(expr)
    if isinstance(expr, relax.Call) and ops.name(expr) in _EXTREMES:
        return _extreme(_expr(expr.args[0], env), expr)
    if isinstance(expr, relax.Call):
        args = [_expr(arg, env) for arg in expr.args]
        if ops.name(expr) == "relax.take":
            axis = int(expr.attrs["axis"] or 0)
            # Told what to do outside, TVM does not warn of it; nothing there is ever asked for.
            indices = _from_start(args[1], ops.shape(args[0])[axis])
            return relax.op.take(args[0], indices, axis, mode="clip")
        if ops.name(expr) == "relax.index_tensor" and ops.dtype(expr) == "bool":
            return relax.op.astype(relax.op.index_tensor(_counted(args[0]), args[1]), "bool")
        return relax.Call(expr.op, args, _attributes(expr.attrs), [_type(t) for t in expr.ty_args])
    return expr


def _counted(x: Any) -> relax.Expr:
    """1 or 0 for yes or no: what is looked up lies in memory, which has no such values."""
    return relax.op.astype(x, "int32")


# Their results are of 64 bits whatever they are told.
_EXTREMES = {"relax.argmax": True, "relax.argmin": False}


def _extreme(x: Any, call: relax.Call) -> relax.Expr:
    """Where along an axis the largest or the smallest value is."""
    axis = call.attrs.axis
    x, axis = (relax.op.flatten(x), 0) if axis is None else (x, int(axis))
    index = relax.op.topk(x, 1, axis, "indices", _EXTREMES[ops.name(call)], "int32")
    return relax.op.reshape(index, ops.shape(call))


def _constant(expr: Any) -> Any:
    values = expr.value.numpy()
    kind = NARROW.get(str(values.dtype))
    if kind is None:
        return expr
    if kind != "float32":
        values = _clipped(values, kind)
    return relax.const(values.astype(kind), kind)


def _clipped(values: npt.NDArray[Any], kind: str) -> npt.NDArray[Any]:
    """The largest and the smallest number of 64 bits, which masks are made of, as those of 32."""
    limits, wide = np.iinfo(kind), np.iinfo(values.dtype)
    narrow = values.clip(limits.min, limits.max)
    other = (values != narrow) & (values != wide.min) & (values != wide.max)
    if other.any():
        raise UnsupportedModelError(
            f"the model counts with {values[other].flat[0]}, and numbers in WebGPU have 32 bits"
        )
    return narrow


def _from_start(indices: Any, extent: int) -> Any:
    """Constant indices that count from the end, as PyTorch's may, counted from the start."""
    if not isinstance(indices, tvm.ir.GenericConst):
        return indices
    values = indices.value.numpy()
    return relax.const(np.where(values < 0, values + extent, values), str(values.dtype))


def _type(kind: Any) -> Any:
    if not isinstance(kind, relax.TensorType) or str(kind.dtype) not in NARROW:
        return kind
    return relax.TensorType([int(extent) for extent in kind.shape], NARROW[str(kind.dtype)])


def _attributes(attributes: Any) -> Any:
    """The same settings with another `dtype`, if they have one."""
    kind = NARROW.get(str(getattr(attributes, "dtype", "")))
    if kind is None:
        return attributes
    info = type(attributes).__tvm_ffi_type_info__
    settings = {field.name: getattr(attributes, field.name) for field in info.fields}
    return tvm.ir.make_node(info.type_key, **{**settings, "dtype": kind})
