"""A Relax program's value by plain PyTorch, operator by operator: what passes must not change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
import tvm
from tvm import relax

from compiler.graph import ops
from compiler.graph.program import Elementwise, Program, Recipe, Rows, Source, Transposed

Tensors = dict[str, torch.Tensor]


def evaluate(program: Program, inputs: Tensors, checkpoint: Tensors) -> list[torch.Tensor]:
    """The fields of `main`'s result; `checkpoint` holds what the recipes read."""
    main = program.module["main"]
    values: dict[Any, Any] = {}
    for param in main.params:
        recipe = program.weights.get(param.name)
        values[param] = inputs[param.name] if recipe is None else cook(recipe, checkpoint)
    for binding in main.body.blocks[0].bindings:
        values[binding.var] = _value(binding.value, values)
    return list(values[main.body.body])


def cook(recipe: Recipe, checkpoint: Tensors) -> torch.Tensor:
    """The weight a recipe stands for."""
    match recipe:
        case Source(name):
            return checkpoint[name]
        case Transposed(of):
            return cook(of, checkpoint).T
        case Rows(parts):
            return torch.cat([cook(part, checkpoint) for part in parts])
        case Elementwise(op, of, constant):
            computed: torch.Tensor = _OPERATORS[op](None, cook(of, checkpoint), constant)
            return computed


def _value(expr: relax.Expr, values: dict[Any, Any]) -> Any:
    if isinstance(expr, relax.Var):
        return values[expr]
    if isinstance(expr, tvm.ir.GenericConst):
        return torch.from_numpy(expr.value.numpy().copy())
    if isinstance(expr, relax.Tuple):
        return [_value(field, values) for field in expr.fields]
    if isinstance(expr, relax.TupleGetItem):
        return _value(expr.tuple_value, values)[expr.index]
    if isinstance(expr, relax.Call):
        args = [_value(arg, values) for arg in ops.operands(expr)]
        return _OPERATORS[ops.name(expr)](expr, *args)
    return expr  # shapes and numbers, which operators read from the call


def _reshape(call: relax.Call, x: torch.Tensor, *_: Any) -> torch.Tensor:
    return x.reshape(ops.shape(call))


def _slice(call: relax.Call, x: torch.Tensor, *_: Any) -> torch.Tensor:
    axes, begin, end = ([int(v.value) for v in arg.fields] for arg in call.args[1:4])
    for axis, first, last in zip(axes, begin, end, strict=True):
        x = x.narrow(axis, first, min(last, x.shape[axis]) - first)
    return x


def _split(call: relax.Call, x: torch.Tensor) -> list[torch.Tensor]:
    sizes = [int(field.shape[int(call.attrs["axis"])]) for field in call.ty.fields]
    return list(torch.split(x, sizes, int(call.attrs["axis"])))


def _linear(call: relax.Call, x: torch.Tensor, weight: torch.Tensor, *rest: Any) -> torch.Tensor:
    extra = list(rest)
    bias, residual = (extra.pop(0) if ops.setting(call, k) else 0 for k in ("bias", "residual"))
    out = _norm(call, x, *extra) @ weight.T + bias
    activation = _ACTIVATIONS[str(ops.setting(call, "activation"))]
    if ops.setting(call, "gated"):
        gate, up = out.chunk(2, -1)
        out = activation(gate) * up
    else:
        out = activation(out)
    return out + residual


def _norm(call: relax.Call, x: torch.Tensor, *vectors: torch.Tensor) -> torch.Tensor:
    norms = {"none": lambda _, x: x, "rms": _rms_norm, "layer": _layer_norm}
    normed: torch.Tensor = norms[str(ops.setting(call, "norm"))](call, x, *vectors)
    return normed


def _rms_norm(call: relax.Call, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return F.rms_norm(x, weight.shape, weight, float(ops.setting(call, "epsilon")))


def _layer_norm(call: relax.Call, x: torch.Tensor, weight: Any, bias: Any) -> torch.Tensor:
    name = "epsilon"
    return F.layer_norm(x, x.shape[-1:], weight, bias, float(call.attrs[name]))


def _attention(call: relax.Call, query: Any, key: Any, value: Any) -> torch.Tensor:
    """(1, heads, rows, depth) each -> (1, rows, heads, depth)."""
    repeat = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(repeat, 1) for x in (key, value))
    scores = query @ key.mT * float(ops.setting(call, "scale"))
    mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    out: torch.Tensor = scores.masked_fill(~mask, -1e30).softmax(-1) @ value
    return out.transpose(1, 2)


def _append(call: relax.Call, *args: torch.Tensor) -> list[torch.Tensor]:
    """Token-major query, key and value, normed and rotated, in place of the KV cache."""
    extra = list(args)
    packed = bool(ops.setting(call, "packed"))
    parts = _parts(call, extra.pop(0)) if packed else [extra.pop(0) for _ in range(3)]
    tables = [extra.pop(0) for _ in range(2 if ops.setting(call, "rotary") else 0)]
    return _heads(call, parts, tables, extra, float(ops.setting(call, "epsilon")))


def _project_append(call: relax.Call, *args: torch.Tensor) -> list[torch.Tensor]:
    count = ops.linear_operands(call)
    place, *norms = args[count:]
    tables = list(place[:, 1:].chunk(2, -1))
    parts = _parts(call, _linear(call, *args[:count]))
    return _heads(call, parts, tables, norms, float(ops.setting(call, "head_epsilon")))


def _place(call: relax.Call, *tables: torch.Tensor) -> torch.Tensor:
    return torch.cat([torch.zeros(ops.shape(call)[0], 1), *tables], -1)


def _parts(call: relax.Call, packed: torch.Tensor) -> list[torch.Tensor]:
    _, heads, depth = ops.shape(call)
    kv_heads = int(ops.setting(call, "kv_heads"))
    return list(torch.split(packed, [heads * depth, kv_heads * depth, kv_heads * depth], -1))


def _heads(
    call: relax.Call,
    flat: list[torch.Tensor],
    tables: list[torch.Tensor],
    norms: list[torch.Tensor],
    epsilon: float,
) -> list[torch.Tensor]:
    rows, _, depth = ops.shape(call)
    parts = [part.reshape(rows, -1, depth) for part in flat]
    if ops.setting(call, "normed"):
        pairs = zip(parts, norms, strict=False)
        parts[:2] = [F.rms_norm(x, weight.shape, weight, epsilon) for x, weight in pairs]
    if ops.setting(call, "rotary"):
        cos, sin = (table[:, None] for table in tables)
        parts[:2] = [_rotate(x, cos, sin) for x in parts[:2]]
    return parts


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    rotary = cos.shape[-1]
    head, rest = x[..., :rotary], x[..., rotary:]
    turned = torch.cat([-head[..., rotary // 2 :], head[..., : rotary // 2]], -1)
    return torch.cat([head * cos + turned * sin, rest], -1)


def _attend(call: relax.Call, appended: list[torch.Tensor]) -> torch.Tensor:
    return _attention(call, *(x.transpose(0, 1)[None] for x in appended))[0]


_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "none": lambda x: x,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "relu": F.relu,
}
_DTYPES = {"float32": torch.float32, "int32": torch.int32, "int64": torch.int64}

_OPERATORS: dict[str, Callable[..., Any]] = {
    "relax.add": lambda _, a, b: a + b,
    "relax.subtract": lambda _, a, b: a - b,
    "relax.multiply": lambda _, a, b: a * b,
    "relax.divide": lambda _, a, b: a / b,
    "relax.power": lambda _, a, b: a**b,
    "relax.negative": lambda _, x: -x,
    "relax.rsqrt": lambda _, x: x.rsqrt(),
    "relax.tanh": lambda _, x: x.tanh(),
    "relax.sigmoid": lambda _, x: x.sigmoid(),
    "relax.nn.silu": lambda _, x: F.silu(x),
    "relax.nn.gelu": lambda _, x: F.gelu(x),
    "relax.nn.gelu_tanh": lambda _, x: F.gelu(x, approximate="tanh"),
    "relax.nn.relu": lambda _, x: F.relu(x),
    "relax.matmul": lambda _, a, b: a @ b,
    "relax.astype": lambda call, x: x.to(_DTYPES[ops.dtype(call)]),
    "relax.permute_dims": lambda call, x: x.permute(ops.axes(call)),
    "relax.mean": lambda call, x: x.mean(
        [int(a) for a in call.attrs["axis"]], keepdim=bool(call.attrs["keepdims"])
    ),
    "relax.take": lambda _, table, ids: table[ids],
    "relax.concat": lambda call, parts: torch.cat(parts, int(call.attrs["axis"])),
    "relax.split": _split,
    "relax.strided_slice": _slice,
    "relax.reshape": _reshape,
    "relax.expand_dims": _reshape,
    "relax.squeeze": _reshape,
    "relax.nn.layer_norm": _layer_norm,
    "webkiln.linear": _linear,
    "webkiln.embed": lambda _, ids, table: table[ids],
    "webkiln.rms_norm": _rms_norm,
    "webkiln.layer_norm": _layer_norm,
    "webkiln.add_norm": lambda call, x, skip, weight: skip + _rms_norm(call, x, weight),
    "webkiln.attention": _attention,
    "webkiln.append": _append,
    "webkiln.attend": _attend,
    "webkiln.place": _place,
    "webkiln.project_append": _project_append,
}
