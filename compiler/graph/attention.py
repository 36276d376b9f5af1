"""Attention as the kernels run it: rotate and append to the KV cache, then attend over it.

`attention(query, key, value)`, as traced, takes head-major tensors after rotary embedding and
query/key norms. Those are recognised here and moved into `append`, token-major, together with the
grouping of the Q, K and V projections. What is not recognised stays as plain Relax before it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import relax

from compiler.graph import fuse, ops
from compiler.graph.rewrite import Rule, View

# What `attend` has of `attention`, besides where the cache is.
SETTINGS = ("scale", "window", "softcap", "causal", "slopes", "sinks")


@dataclass(frozen=True)
class Rotated:
    """Rotary embedding of the first `rotary` of each head's values: x cos + rotate_half(x) sin."""

    x: relax.Expr
    cos: relax.Expr  # a view of (rows, rotary)
    sin: relax.Expr
    rotary: int


def lower_attention(same_coding: fuse.SameCoding) -> Rule:
    """attention -> attend(append(...)) with everything recognised fused into `append`."""

    def rule(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
        if ops.name(value) != "webkiln.attention":
            return None
        return _Lowering(view, value, same_coding).expression()

    return rule


class _Lowering:
    """One attention call on its way to append and attend."""

    def __init__(self, view: View, call: relax.Call, same_coding: fuse.SameCoding) -> None:
        self.view = view
        self.call = call
        self.same_coding = same_coding
        query, key, value, *self.per_head = ops.operands(call)
        _, self.heads, self.rows, self.depth = ops.shape(query)
        self.kv_heads = ops.shape(key)[1]
        self.operands = (query, key, value)

    def expression(self) -> relax.Expr:
        extra, rotary, normed, epsilon, inputs = self._recognise()
        packed = self._packed(inputs)
        if packed is None and rotary and normed:  # ten buffers: two more than every device binds
            extra, rotary, normed, epsilon, inputs = self._recognise(norms=False)
        apart = zip(inputs, self._widths(), strict=True)
        sources = [packed] if packed is not None else [self._flat(x, n) for x, n in apart]
        shape = (self.rows, self.heads, self.depth)
        shared = {"layer": ops.setting(self.call, "layer"), "kv_heads": self.kv_heads}
        append = ops.make(
            "append",
            [*sources, *extra],
            shape,
            packed=packed is not None,
            rotary=rotary,
            normed=normed,
            epsilon=epsilon,
            **shared,
        )
        settings = {key: ops.setting(self.call, key) for key in SETTINGS}
        operands = [append, *self.per_head]
        attend = ops.make("attend", operands, shape, deferred=False, **shared, **settings)
        return relax.op.reshape(attend, (1, *shape))

    def _recognise(
        self, *, norms: bool = True
    ) -> tuple[list[relax.Expr], int, bool, float, tuple[relax.Expr, relax.Expr, relax.Expr]]:
        """Rotary embedding and, if `norms`, per-head norms, where query and key agree about them.

        Returns append's further operands, its settings, and token-major query, key and value.
        """
        query, key, value = self.operands
        extra: list[relax.Expr] = []
        rotary, epsilon = 0, 0.0
        first, second = (match_rotary(self.view, x) for x in (query, key))
        if first is not None and second is not None and self._rotates_both(first, second):
            rotary = first.rotary
            query, key = first.x, second.x
            extra += [self._table(first.cos, rotary), self._table(first.sin, rotary)]
        heads = [self._token_major(x) for x in (query, key, value)]
        calls = [self.view.call(x, "webkiln.rms_norm") for x in heads[:2]]
        normed = norms and None not in calls and self._per_head(calls)
        if normed:
            extra += [ops.operands(norm)[1] for norm in calls]
            epsilon = float(ops.setting(calls[0], "epsilon"))
            heads[:2] = [ops.operands(norm)[0] for norm in calls]
        return extra, rotary, normed, epsilon, (heads[0], heads[1], heads[2])

    def _rotates_both(self, query: Rotated, key: Rotated) -> bool:
        """Whether whole heads of query and key, head-major, are turned by one pair of tables."""
        tables = query.rotary == key.rotary and query.cos == key.cos and query.sin == key.sin
        shapes = [ops.shape(x) for x in (query.x, key.x)]
        return tables and shapes == [ops.shape(x) for x in self.operands[:2]]

    def _per_head(self, norms: list[relax.Call | None]) -> bool:
        """Whether both norms run over one head's values, with one epsilon."""
        calls = [norm for norm in norms if norm is not None]
        over_head = all(ops.shape(ops.operands(c)[1]) == (self.depth,) for c in calls)
        return over_head and len({float(ops.setting(c, "epsilon")) for c in calls}) == 1

    def _token_major(self, expr: relax.Expr) -> relax.Expr:
        """(1, heads, rows, depth) -> (1, rows, heads, depth), undoing a transpose if any."""
        value = self.view.value(self.view.base(expr))
        undone = ops.name(value) == "relax.permute_dims" and ops.axes(value) == [0, 2, 1, 3]
        if undone and ops.shape(value) == ops.shape(expr):
            return value.args[0]
        return relax.op.permute_dims(expr, [0, 2, 1, 3])

    def _flat(self, expr: relax.Expr, width: int) -> relax.Expr:
        return relax.op.reshape(expr, (self.rows, width))

    def _table(self, expr: relax.Expr, rotary: int) -> relax.Expr:
        return relax.op.reshape(expr, (self.rows, rotary))

    def _packed(self, inputs: tuple[relax.Expr, relax.Expr, relax.Expr]) -> relax.Expr | None:
        """One (rows, heads + 2 kv_heads, depth) tensor holding query, key and value, if it exists
        (GPT-2 splits one projection) or can be made (three projections of one input)."""
        split = [self.view.value(self.view.base(x)) for x in inputs]
        if all(isinstance(x, relax.TupleGetItem) for x in split):
            whole = {x.tuple_value for x in split}
            parts = self.view.value(next(iter(whole)))
            in_order = [x.index for x in split] == [0, 1, 2] and len(whole) == 1
            if in_order and ops.name(parts) == "relax.split" and self._splits_rows(parts):
                return self._flat(parts.args[0], sum(self._widths()))
        linears = [self.view.call(x, "webkiln.linear") for x in inputs]
        known = [call for call in linears if call is not None and ops.shape(call)[0] == self.rows]
        if len(known) < 3 or not fuse.can_group(self.view, known, self.same_coding):
            return None
        return fuse.group(self.view, known, sum(self._widths()))

    def _widths(self) -> list[int]:
        """Values per token of query, key and value."""
        return [heads * self.depth for heads in (self.heads, self.kv_heads, self.kv_heads)]

    def _splits_rows(self, split: relax.Call) -> bool:
        """Whether each token's values are cut into all of query, of key and of value, in this
        order; some models cut each head's values instead."""
        whole = ops.shape(split.args[0])
        widths = [int(field.shape[-1]) for field in split.ty.fields]
        rows = whole[:-1] in ((self.rows,), (1, self.rows))
        return rows and widths == self._widths()


def match_rotary(view: View, expr: relax.Expr) -> Rotated | None:
    """Rotary embedding in the half-split form (Su et al., arXiv 2104.09864, as in GPT-NeoX),
    of all of a head or of its first values only."""
    value = view.value(view.base(expr))
    if ops.name(value) == "relax.concat":
        return _match_partial(view, value)
    if ops.name(value) != "relax.add":
        return None
    straight, crossed = (view.value(arg) for arg in value.args)
    if ops.name(straight) != "relax.multiply" or ops.name(crossed) != "relax.multiply":
        return None
    x, cos = straight.args
    half, sin = crossed.args
    rotary = ops.shape(x)[-1]
    if not _is_half_rotation(view, half, x) or not _are_tables(cos, sin, x):
        return None
    return Rotated(x, view.base(cos), view.base(sin), rotary)


def _match_partial(view: View, concat: relax.Call) -> Rotated | None:
    parts = list(concat.args[0].fields)
    if len(parts) != 2:
        return None
    inner, rest = match_rotary(view, parts[0]), view.value(parts[1])
    if inner is None:
        return None
    head = view.value(inner.x)
    if _slice(head) is None or _slice(rest) is None or head.args[0] != rest.args[0]:
        return None
    whole = ops.shape(head.args[0])[-1]
    if _slice(head) != (0, inner.rotary) or _slice(rest) != (inner.rotary, whole):
        return None
    return Rotated(head.args[0], inner.cos, inner.sin, inner.rotary)


def _is_half_rotation(view: View, expr: relax.Expr, x: relax.Expr) -> bool:
    """concat(-x[half:], x[:half])"""
    concat = view.value(expr)
    if ops.name(concat) != "relax.concat" or len(concat.args[0].fields) != 2:
        return False
    upper, lower = (view.value(field) for field in concat.args[0].fields)
    if ops.name(upper) != "relax.negative":
        return False
    upper, width = view.value(upper.args[0]), ops.shape(x)[-1]
    of_x = all(_slice(s) is not None and s.args[0] == x for s in (upper, lower))
    return of_x and _slice(upper) == (width // 2, width) and _slice(lower) == (0, width // 2)


def _are_tables(cos: relax.Expr, sin: relax.Expr, x: relax.Expr) -> bool:
    """Whether both are (1, 1, rows, rotary) for x (1, heads, rows, rotary)."""
    return len(ops.shape(x)) == 4 and ops.shape(cos) == ops.shape(sin) == (1, 1, *ops.shape(x)[2:])


def _slice(value: relax.Expr) -> tuple[int, int] | None:
    """(begin, end) of a unit-stride slice along the last axis."""
    if ops.name(value) != "relax.strided_slice":
        return None
    data, *ranges = value.args
    axes, begin, end = ([int(v.value) for v in r.fields] for r in ranges[:3])
    strides = [int(v.value) for v in ranges[3].fields] if len(ranges) > 3 else [1]
    extent = ops.shape(data)[-1]
    if axes not in ([len(ops.shape(data)) - 1], [-1]) or strides != [1]:
        return None
    return begin[0], min(end[0], extent)
