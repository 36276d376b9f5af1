"""Webkiln's own operators inside Relax, and small readers of Relax expressions.

An operator is a `call_dps_packed` to `webkiln.<name>` with its settings in the call's attributes:
opaque to TVM's passes, with its result's shape stated, and replaced by a kernel when the plan is
written. Shapes are those of the operands in C order:

    linear      x (rows, K), weight (N, K) [, bias (N,)] [, residual (rows, N)]
                [, norm weight (K,) [, norm bias (K,)]] -> (rows, N)
                activation: applied to the product; gated: weight (2N, K) holds gate then up rows
                and the result is activation(gate) * up; norm: "rms" or "layer", of x before the
                product, with epsilon
    expert_linear
                x (rows / k, K), experts (rows,) i32, weight (E, N, K), or (E N, K) with `experts`
                E -> (rows, N): row i is row i // k of x times the weight of experts[i]; as traced,
                transposed: weight (E, K, N)
    embed       ids (rows,) i32, weight (V, K) -> (rows, K)
    rms_norm    x (..., K), weight (K,) -> as x; epsilon
    layer_norm  x (..., K), weight (K,), bias (K,) -> as x; epsilon
    add_norm    x (..., K), skip as x, weight (K,) -> skip + rms_norm(x); epsilon; deferred: the
                linear layer that reads it first computes it; kept: for others, who read it later
    attention   query, key, value (1, heads, rows, depth) [, slopes (heads,)] [, sinks (heads,)]
                -> (1, rows, heads, depth); as traced
    append      packed (rows, (heads + 2 kv) * depth) | query, key, value (rows, heads * depth)
                [, cos, sin (rows, rotary)] [, query norm, key norm (depth,)]
                -> rotated query (rows, heads, depth); key and value go to the layer's KV cache
    place       [cos, sin (rows, rotary)] -> (rows, 1 + 2 rotary): position or -1, cos, sin
    project_append
                linear's operands and settings, then place [, query norm, key norm (depth,)]:
                append, with head_epsilon for epsilon, of the layer's packed result
    state       () -> a state the token before left, `of` it by name; zeros before the first
    attend      query (rows, heads, depth) [, slopes (heads,)] [, sinks (heads,)] -> (rows, heads,
                depth), over the layer's KV cache;
                deferred: what is computed in parts is put together by its readers, linear layers
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import tvm
from tvm import relax

PREFIX = "webkiln."


def make(
    name: str, args: Sequence[relax.Expr], shape: Sequence[int], **settings: Any
) -> relax.Call:
    """A call of operator `name` with an f32 result of `shape`."""
    return relax.Call(
        tvm.ir.Op.get("relax.call_dps_packed"),
        [relax.ExternFunc(PREFIX + name), relax.Tuple(list(args))],
        tvm.ir.make_node("ir.DictAttrs", **settings),
        [relax.TensorType(list(shape), "float32")],
    )


def name(expr: Any) -> str:
    """ "webkiln.linear", "relax.add", ... of a call; "" for anything else."""
    if not isinstance(expr, relax.Call):
        return ""
    if isinstance(expr.op, tvm.ir.Op):
        if expr.op.name == "relax.call_dps_packed":
            return str(expr.args[0].global_symbol)
        return str(expr.op.name)
    return ""


def calls(module: tvm.IRModule, operator: str) -> list[relax.Call]:
    """Those of `operator` in the first block of `main`, in order."""
    values = [binding.value for binding in module["main"].body.blocks[0].bindings]
    return [value for value in values if name(value) == operator]


def operands(call: relax.Call) -> list[relax.Expr]:
    """Tensor operands, without the callee of a `call_dps_packed`."""
    if name(call).startswith(PREFIX):
        return list(call.args[1].fields)
    return list(call.args)


def shape(expr: relax.Expr) -> tuple[int, ...]:
    """The static shape of a tensor."""
    return tuple(int(extent) for extent in expr.ty.shape)


def dtype(expr: relax.Expr) -> str:
    """The element type of a tensor, such as "float32"."""
    return str(expr.ty.dtype)


def setting(call: relax.Call, key: str) -> Any:
    """One setting of a Webkiln operator."""
    return call.attrs[key]


def linear_operands(call: relax.Call) -> int:
    """How many operands of a `linear` or `project_append` are the linear layer's."""
    norms = {"none": 0, "rms": 1, "layer": 2}[str(setting(call, "norm"))]
    return 2 + bool(setting(call, "bias")) + bool(setting(call, "residual")) + norms


def axes(permute: relax.Call) -> list[int]:
    """The permutation of a `permute_dims`, which reverses all axes unless told otherwise."""
    given = permute.attrs["axes"]
    rank = len(shape(permute.args[0]))
    return list(reversed(range(rank))) if given is None else [int(a) % rank for a in given]


def constant(expr: Any) -> float | None:
    """The value of a scalar constant, else None."""
    if isinstance(expr, tvm.ir.GenericConst) and expr.value.numpy().size == 1:
        return float(expr.value.numpy().reshape(()))
    return None


def broadcasts_last(expr: relax.Expr) -> bool:
    """Whether all axes but the last have extent 1, as a vector broadcast along rows has."""
    return all(extent == 1 for extent in shape(expr)[:-1])


def is_param(expr: relax.Expr) -> bool:
    """Whether `expr` is a parameter of the function rather than the result of a binding."""
    return isinstance(expr, relax.Var) and not isinstance(expr, relax.DataflowVar)


def callee(call: relax.Call) -> str:
    """The global function a `call_tir` calls."""
    return cast(str, call.args[0].name_hint)
