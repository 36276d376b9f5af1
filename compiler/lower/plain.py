"""Lowerings of plain operators whose own in TVM make several kernels of one, or text that no
compiler takes."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from tvm import relax, te, tirx

from compiler.errors import UnsupportedModelError
from compiler.graph import ops

FEW = 16  # products of a convolution


def _split(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    """A kernel for each part: a GPU's launch has one loop nest."""
    axis = int(call.attrs["axis"]) % len(ops.shape(call.args[0]))
    parts, start = [], 0
    for field in call.ty.fields:
        shape = tuple(int(extent) for extent in field.shape)
        part = partial(_part, shape=shape, axis=axis, start=start)
        parts.append(builder.emit(builder.call_te(part, call.args[0], primfunc_name_hint="part")))
        start += shape[axis]
    return relax.Tuple(parts)


def _part(x: te.Tensor, shape: tuple[int, ...], axis: int, start: int) -> te.Tensor:
    def element(*i: Any) -> Any:
        return x(*(j + start if d == axis else j for d, j in enumerate(i)))

    return te.compute(shape, element, name="part")


def _filled(number: float | None = None) -> Any:
    """Tensors of one value; TVM's own lowering looks for letters in a type."""

    def legalise(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
        shape, kind = ops.shape(call), ops.dtype(call)
        value = relax.const(number, kind) if number is not None else call.args[1]

        def compute(x: te.Tensor) -> te.Tensor:
            return te.compute(shape, lambda *_: x().astype(kind), name="y")

        return builder.call_te(compute, value, primfunc_name_hint="full")

    return legalise


def _clip(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    """Bounds that are infinite are none: WGSL cannot spell them."""
    low, high = (float(bound.value) for bound in call.args[1:3])
    kind = ops.dtype(call)

    def bounded(value: Any) -> Any:
        if math.isfinite(low):
            value = tirx.max(value, tirx.const(low, kind))
        return tirx.min(value, tirx.const(high, kind)) if math.isfinite(high) else value

    def compute(x: te.Tensor) -> te.Tensor:
        return te.compute(x.shape, lambda *i: bounded(x(*i)), name="y")

    return builder.call_te(compute, call.args[0], primfunc_name_hint="clip")


def _conv1d(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    """In groups or not; a few products are written out, which other operators fuse with."""
    attrs = call.attrs
    if (attrs.data_layout, attrs.kernel_layout) != ("NCW", "OIW"):
        raise UnsupportedModelError(f"conv1d in the layout {attrs.data_layout}")
    numbers = (attrs.strides[0], attrs.padding[0], attrs.dilation[0], attrs.groups)
    conv = partial(_convolved, ops.shape(call), *(int(number) for number in numbers))
    return builder.call_te(conv, *call.args, primfunc_name_hint="conv1d")


def _convolved(
    shape: tuple[int, ...],
    stride: int,
    before: int,
    dilation: int,
    groups: int,
    x: te.Tensor,
    weight: te.Tensor,
) -> te.Tensor:
    length = int(x.shape[2])
    channels, inputs, width = (int(extent) for extent in weight.shape)

    def product(n: Any, channel: Any, at: Any, i: Any, k: Any) -> Any:
        source = at * stride + k * dilation - before
        value = x(n, channel // (channels // groups) * inputs + i, source)
        if before:
            inside = tirx.all(source >= 0, source < length)
            value = tirx.if_then_else(inside, value, tirx.const(0, str(x.dtype)))
        return value * weight(channel, i, k)

    if inputs * width <= FEW:
        taps = [(i, k) for i in range(inputs) for k in range(width)]
        return te.compute(
            shape, lambda n, c, at: sum(product(n, c, at, i, k) for i, k in taps), name="convolved"
        )
    i, k = te.reduce_axis((0, inputs), "i"), te.reduce_axis((0, width), "k")
    return te.compute(
        shape, lambda n, c, at: te.sum(product(n, c, at, i, k), axis=[i, k]), name="convolved"
    )


LEGALISATIONS = {
    "relax.clip": _clip,
    "relax.nn.conv1d": _conv1d,
    "relax.split": _split,
    "relax.full": _filled(),
    "relax.full_like": _filled(),
    "relax.zeros": _filled(0),
    "relax.zeros_like": _filled(0),
    "relax.ones": _filled(1),
    "relax.ones_like": _filled(1),
}
