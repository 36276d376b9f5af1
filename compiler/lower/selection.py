"""Lowerings of sorting, choosing, scattering and running sums to sums over all pairs.

What models sort are the scores of at most a few hundred experts. Counting how many come before each
one takes more comparisons than a sorting network and no barriers, scratch memory or atomics: every
backend can schedule it, and the order is PyTorch's wherever no two values are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvm import relax, te, tirx, topi

LOWEST = -3.402823e38


def _ranks(x: te.Tensor, largest: bool) -> te.Tensor:
    """How many elements of the last axis come before each; of equal ones the first does."""
    other = te.reduce_axis((0, x.shape[-1]), "other")

    def rank(*i: Any) -> Any:
        *outer, own = i
        a, b = x(*outer, other), x(*i)
        sooner = a > b if largest else a < b
        before = tirx.any(sooner, tirx.all(a == b, other < own))
        return te.sum(tirx.Select(before, _int(1), _int(0)), axis=other)

    return te.compute(x.shape, rank, name="ranks")


def _positions(ranks: te.Tensor, count: int) -> te.Tensor:
    """Where along the last axis the first `count` ranks are."""
    at = te.reduce_axis((0, ranks.shape[-1]), "at")

    def position(*i: Any) -> Any:
        return te.sum(
            tirx.Select(ranks(*i[:-1], at) == i[-1], at.var.astype("int32"), _int(0)), axis=at
        )

    return te.compute([*ranks.shape[:-1], count], position, name="positions")


def _at(x: te.Tensor, positions: te.Tensor) -> te.Tensor:
    """x at `positions` of its last axis."""
    return te.compute(positions.shape, lambda *i: x(*i[:-1], positions(*i)), name="chosen")


def _topk(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    settings = call.attrs
    values, positions = _first(
        builder, call.args[0], int(settings.k), int(settings.axis), bool(settings.largest)
    )
    both = {"both": relax.Tuple([values, positions]), "values": values, "indices": positions}
    return both[str(settings.ret_type)]


def _argsort(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    x, settings = call.args[0], call.attrs
    axis = int(settings.axis)
    return _first(builder, x, int(x.ty.shape[axis]), axis, bool(settings.descending))[1]


def _sort(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    x, settings = call.args[0], call.attrs
    axis = int(settings.axis)
    return _first(builder, x, int(x.ty.shape[axis]), axis, bool(settings.descending))[0]


def _first(
    builder: relax.BlockBuilder, x: relax.Expr, count: int, axis: int, largest: bool
) -> tuple[relax.Expr, relax.Expr]:
    """The first `count` values along an axis in order, and where they are."""
    order = _last(len(x.ty.shape), axis)
    x = _permuted(builder, x, order)
    ranks = builder.emit(builder.call_te(_ranks, x, largest, primfunc_name_hint="ranks"))
    positions = builder.emit(
        builder.call_te(_positions, ranks, count, primfunc_name_hint="positions")
    )
    values = builder.emit(builder.call_te(_at, x, positions, primfunc_name_hint="chosen"))
    back = [order.index(i) for i in range(len(order))]
    return _permuted(builder, values, back), _permuted(builder, positions, back)


def _last(rank: int, axis: int) -> list[int]:
    """The axes with `axis` as the last one."""
    axis %= rank
    return [i for i in range(rank) if i != axis] + [axis]


def _permuted(builder: relax.BlockBuilder, x: relax.Expr, axes: Sequence[int]) -> relax.Expr:
    if list(axes) == sorted(axes):
        return x
    return builder.emit(builder.call_te(_transpose, x, list(axes), primfunc_name_hint="transpose"))


def _transpose(x: te.Tensor, axes: Sequence[int]) -> te.Tensor:
    back = [list(axes).index(i) for i in range(len(axes))]
    shape = [x.shape[axis] for axis in axes]
    return te.compute(shape, lambda *i: x(*[i[j] for j in back]), name="transposed")


def _scatter_elements(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    """Which update an element gets, if any, is found first; of several the last wins."""
    data, indices, updates = call.args
    axis = int(call.attrs.axis) % len(data.ty.shape)
    if str(call.attrs.reduction) == "add":
        arguments = (data, indices, updates, axis)
        totals = builder.emit(builder.call_te(_totals, *arguments, primfunc_name_hint="totals"))
        return builder.call_te(topi.add, data, totals)
    found = builder.emit(
        builder.call_te(_updates, data, indices, axis, primfunc_name_hint="updates")
    )
    arguments = (data, found, updates, axis)
    return builder.call_te(_updated, *arguments, primfunc_name_hint="scatter")


def _updates(data: te.Tensor, indices: te.Tensor, axis: int) -> te.Tensor:
    update = te.reduce_axis((0, indices.shape[axis]), "update")

    def found(*i: Any) -> Any:
        hit = _hits(indices, i, axis, update)
        return te.max(tirx.Select(hit, update.var.astype("int32"), _int(-1)), axis=update)

    return te.compute(data.shape, found, name="found")


def _updated(data: te.Tensor, found: te.Tensor, updates: te.Tensor, axis: int) -> te.Tensor:
    def element(*i: Any) -> Any:
        update = tirx.max(found(*i), 0)
        return tirx.Select(found(*i) >= 0, updates(*_inside(updates, i, axis, update)), data(*i))

    return te.compute(data.shape, element, name="scattered")


def _totals(data: te.Tensor, indices: te.Tensor, updates: te.Tensor, axis: int) -> te.Tensor:
    update = te.reduce_axis((0, indices.shape[axis]), "update")
    zero = tirx.const(0, data.dtype)

    def total(*i: Any) -> Any:
        value = updates(*_inside(updates, i, axis, update))
        return te.sum(tirx.Select(_hits(indices, i, axis, update), value, zero), axis=update)

    return te.compute(data.shape, total, name="totals")


def _cumsum(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    """Positions that are counted from a text's tokens."""
    x, settings = call.args[0], call.attrs
    arguments = (x, int(settings.axis or 0) % len(x.ty.shape), str(call.ty.dtype))
    return builder.call_te(_sums, *arguments, primfunc_name_hint="cumsum")


def _sums(x: te.Tensor, axis: int, kind: str) -> te.Tensor:
    at = te.reduce_axis((0, x.shape[axis]), "at")

    def total(*i: Any) -> Any:
        value = x(*[at if d == axis else own for d, own in enumerate(i)]).astype(kind)
        return te.sum(tirx.Select(at <= i[axis], value, tirx.const(0, kind)), axis=at)

    return te.compute(x.shape, total, name="sums")


def _hits(indices: te.Tensor, i: Sequence[Any], axis: int, update: Any) -> Any:
    """Whether `update` goes to element i. Indices may cover a part of the other axes."""
    others = [d for d in range(len(i)) if d != axis]
    covered = [i[d] < indices.shape[d] for d in others]
    own = indices(*_inside(indices, i, axis, update))
    return tirx.all(own == i[axis], *covered)


def _inside(x: te.Tensor, i: Sequence[Any], axis: int, update: Any) -> list[Any]:
    last = [extent - 1 for extent in x.shape]
    return [update if d == axis else tirx.min(i[d], last[d]) for d in range(len(i))]


def _int(value: int) -> Any:
    return tirx.const(value, "int32")


LEGALISATIONS = {
    "relax.cumsum": _cumsum,
    "relax.topk": _topk,
    "relax.argsort": _argsort,
    "relax.sort": _sort,
    "relax.scatter_elements": _scatter_elements,
}
