"""Attention becomes append and attend, with what they recognise around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from tvm import relax
from tvm.relax import op as R

from compiler.graph import attention, canonicalize, norms, ops
from compiler.graph.program import Program, Rows, Source
from compiler.graph.rewrite import rewrite
from tests.unit.graph.programs import (
    Emit,
    Graph,
    assert_same,
    changed,
    operators,
    program,
    recipes,
    same_coding,
    settings,
)

ROWS, HEADS, KV_HEADS, DEPTH, HIDDEN = 3, 4, 2, 8, 16
WEIGHTS = {
    "q": (HEADS * DEPTH, HIDDEN),
    "k": (KV_HEADS * DEPTH, HIDDEN),
    "v": (KV_HEADS * DEPTH, HIDDEN),
    "fused": ((HEADS + 2 * KV_HEADS) * DEPTH, HIDDEN),
    "interleaved": (3 * HEADS * DEPTH, HIDDEN),
    "query_norm": (DEPTH,),
    "key_norm": (DEPTH,),
    "wide_norm": (HEADS * DEPTH,),
}
INPUTS = {
    "x": (ROWS, HIDDEN),
    "y": (ROWS, HIDDEN),
    "cos": (1, ROWS, DEPTH),
    "sin": (1, ROWS, DEPTH),
    "short_cos": (1, ROWS, DEPTH // 2),
    "short_sin": (1, ROWS, DEPTH // 2),
}
SETTINGS = {
    "layer": 5,
    "scale": 0.25,
    "window": 0,
    "softcap": 0.0,
    "slopes": False,
    "sinks": False,
    "causal": True,
}
SHORT = ("short_cos", "short_sin")
Tables = tuple[relax.Expr, relax.Expr]


def heads_first(g: Graph, x: relax.Expr, heads: int) -> relax.Var:
    """(rows, heads * depth) -> (1, heads, rows, depth)"""
    split = g(R.reshape(x, (1, ROWS, heads, DEPTH)))
    return g(R.permute_dims(split, [0, 2, 1, 3]))


def last(g: Graph, x: relax.Expr, begin: int, end: int) -> relax.Var:
    return g(R.strided_slice(x, axes=[3], begin=[begin], end=[end]))


def rotate(g: Graph, x: relax.Expr, tables: Tables) -> relax.Var:
    """x cos + concat(-x[half:], x[:half]) sin"""
    width = ops.shape(x)[3]
    upper = g(R.negative(last(g, x, width // 2, width)))
    half = g(R.concat([upper, last(g, x, 0, width // 2)], axis=-1))
    straight, crossed = (g(R.multiply(a, t)) for a, t in zip((x, half), tables, strict=True))
    return g(R.add(straight, crossed))


def rotate_pairs(g: Graph, x: relax.Expr, tables: Tables) -> relax.Var:
    """As GPT-J does: neighbours instead of halves."""
    pairs = g(R.reshape(x, (*ops.shape(x)[:3], DEPTH // 2, 2)))
    even, odd = (g(R.strided_slice(pairs, axes=[4], begin=[i], end=[i + 1])) for i in range(2))
    turned = g(R.reshape(g(R.concat([g(R.negative(odd)), even], axis=4)), ops.shape(x)))
    straight, crossed = (g(R.multiply(a, t)) for a, t in zip((x, turned), tables, strict=True))
    return g(R.add(straight, crossed))


def rotate_upper_minus(g: Graph, x: relax.Expr, tables: Tables) -> relax.Var:
    """The halves swapped, but the wrong one negated: a rotation the other way."""
    upper, lower = last(g, x, DEPTH // 2, DEPTH), last(g, x, 0, DEPTH // 2)
    half = g(R.concat([upper, g(R.negative(lower))], axis=-1))
    straight, crossed = (g(R.multiply(a, t)) for a, t in zip((x, half), tables, strict=True))
    return g(R.add(straight, crossed))


def rotate_part(g: Graph, x: relax.Expr, tables: Tables) -> relax.Var:
    """The first half of each head only, as Phi does."""
    turned = rotate(g, last(g, x, 0, DEPTH // 2), tables)
    return g(R.concat([turned, last(g, x, DEPTH // 2, DEPTH)], axis=-1))


def unrotated(g: Graph, x: relax.Expr, tables: Tables) -> relax.Expr:
    return x


Rotation = Callable[[Graph, relax.Expr, Tables], relax.Expr]


@dataclass(frozen=True)
class Layer:
    """The attention of one layer as a model would spell it."""

    query: Rotation = rotate
    key: Rotation = rotate
    key_of: str = "x"
    tables: tuple[str, str] = ("cos", "sin")
    key_tables: tuple[str, str] | None = None  # where they differ from those of the query
    norms: tuple[str, ...] = ()
    key_epsilon: float = 1e-5

    def __call__(self, g: Graph) -> relax.Expr:
        query = self._projected(g, g.linear(g.x, g.q), HEADS, 0)
        key = self._projected(g, g.linear(getattr(g, self.key_of), g.k), KV_HEADS, 1)
        value = heads_first(g, g.linear(g.x, g.v), KV_HEADS)
        query = self.query(g, query, self._tables(g, self.tables))
        key = self.key(g, key, self._tables(g, self.key_tables or self.tables))
        return attend(g, query, key, value)

    def _projected(self, g: Graph, x: relax.Expr, heads: int, index: int) -> relax.Expr:
        if not self.norms:
            return heads_first(g, x, heads)
        split = g(R.reshape(x, (1, ROWS, heads, DEPTH)))
        weight = getattr(g, self.norms[index])
        normed = g.rms_norm(split, weight, (1e-5, self.key_epsilon)[index])
        return g(R.permute_dims(normed, [0, 2, 1, 3]))

    def _tables(self, g: Graph, names: tuple[str, str]) -> Tables:
        first, second = (g(R.expand_dims(getattr(g, name), 1)) for name in names)
        return first, second


def attend(g: Graph, query: relax.Expr, key: relax.Expr, value: relax.Expr) -> relax.Expr:
    shape = (1, ROWS, ops.shape(query)[1], DEPTH)
    return g(ops.make("attention", [query, key, value], shape, **SETTINGS))


def made(emit: Emit) -> Program:
    before = program(emit, INPUTS, WEIGHTS)
    for rule in (canonicalize.canonical_linear, norms.recognise_rms_norm):
        before = rewrite(before, rule)
    return before


def lowered(emit: Emit, *, same: bool = True) -> Program:
    """The program after the pass, which computes what the one before it did."""
    return changed(made(emit), attention.lower_attention(lambda recipes: same))


def test_llama_attention() -> None:
    before = made(Layer())
    assert operators(before).count("relax.permute_dims") == 3
    after = lowered(Layer())
    assert operators(after) == ["webkiln.linear", "webkiln.append", "webkiln.attend"]
    keys = ("layer", "kv_heads", "packed", "rotary", "normed")
    assert settings(after, "webkiln.append", *keys) == (5, KV_HEADS, True, DEPTH, False)
    keys = ("layer", "kv_heads", "scale", "window", "softcap")
    assert settings(after, "webkiln.attend", *keys) == (5, KV_HEADS, 0.25, 0, 0.0)
    assert recipes(after) == [Rows((Source("q"), Source("k"), Source("v")))]


def test_projections_of_different_codings_stay_apart() -> None:
    after = lowered(Layer(), same=False)
    assert operators(after)[-2:] == ["webkiln.append", "webkiln.attend"]
    assert operators(after).count("webkiln.linear") == 3
    assert settings(after, "webkiln.append", "packed", "rotary") == (False, DEPTH)


def test_projections_of_different_inputs_stay_apart() -> None:
    after = lowered(Layer(key_of="y"))
    assert settings(after, "webkiln.append", "packed", "rotary") == (False, DEPTH)


def test_without_rotary_embedding() -> None:
    after = lowered(Layer(unrotated, unrotated))
    assert operators(after) == ["webkiln.linear", "webkiln.append", "webkiln.attend"]
    assert settings(after, "webkiln.append", "packed", "rotary") == (True, 0)


def test_partial_rotary_embedding() -> None:
    after = lowered(Layer(rotate_part, rotate_part, tables=SHORT))
    assert settings(after, "webkiln.append", "packed", "rotary") == (True, DEPTH // 2)


@pytest.mark.parametrize(
    "layer",
    [
        Layer(rotate_pairs, rotate_pairs),
        Layer(rotate_upper_minus, rotate_upper_minus),
        Layer(rotate, unrotated),
        Layer(unrotated, rotate),
        Layer(rotate, rotate_part, key_tables=SHORT),
        Layer(key_tables=("sin", "cos")),
        Layer(key_tables=("cos", "cos")),
    ],
)
def test_other_rotations_stay_before_append(layer: Layer) -> None:
    after = lowered(layer)
    assert settings(after, "webkiln.append", "packed", "rotary") == (False, 0)
    assert "relax.concat" in operators(after)


def test_head_norms_join_append() -> None:
    layer = Layer(norms=("query_norm", "key_norm"))
    after = lowered(layer)
    assert operators(after) == ["webkiln.linear", "webkiln.append", "webkiln.attend"]
    keys = ("packed", "rotary", "normed")
    assert settings(after, "webkiln.append", *keys) == (True, DEPTH, True)
    assert settings(after, "webkiln.append", "epsilon") == (pytest.approx(1e-5),)


def test_head_norms_stay_where_append_would_have_too_many_operands() -> None:
    """Query, key, value, two tables, two norms, control, cache and result: every device binds 8."""
    norms = ("query_norm", "key_norm")
    after = lowered(Layer(norms=norms), same=False)
    assert settings(after, "webkiln.append", "packed", "rotary", "normed") == (False, DEPTH, False)
    assert operators(after).count("webkiln.rms_norm") == 2
    after = lowered(Layer(unrotated, unrotated, norms=norms), same=False)
    assert settings(after, "webkiln.append", "packed", "rotary", "normed") == (False, 0, True)


def test_head_norms_of_two_epsilons_stay() -> None:
    after = lowered(Layer(norms=("query_norm", "key_norm"), key_epsilon=1e-6))
    assert settings(after, "webkiln.append", "normed", "rotary") == (False, DEPTH)
    assert operators(after).count("webkiln.rms_norm") == 2


def test_norm_over_all_heads_stays() -> None:
    """As in OLMo 2: one norm over the whole projection."""

    def emit(g: Graph) -> relax.Expr:
        query = heads_first(g, g.rms_norm(g.linear(g.x, g.q), g.wide_norm), HEADS)
        key, value = (heads_first(g, g.linear(g.x, w), KV_HEADS) for w in (g.k, g.v))
        return attend(g, query, key, value)

    after = lowered(emit)
    assert settings(after, "webkiln.append", "normed", "packed") == (False, False)
    assert "webkiln.rms_norm" in operators(after)


def test_norm_after_rotation_is_not_moved_before_it() -> None:
    def emit(g: Graph) -> relax.Expr:
        tables = tuple(g(R.expand_dims(t, 1)) for t in (g.cos, g.sin))
        parts = [heads_first(g, g.linear(g.x, w), n) for w, n in ((g.q, HEADS), (g.k, KV_HEADS))]
        turned = [rotate(g, part, (tables[0], tables[1])) for part in parts]
        query, key = (g.rms_norm(x, g.query_norm) for x in turned)
        return attend(g, query, key, heads_first(g, g.linear(g.x, g.v), KV_HEADS))

    assert settings(lowered(emit), "webkiln.append", "normed", "rotary") == (False, 0)


def fused_projection(sizes: tuple[int, ...], order: tuple[int, ...] = (0, 1, 2)) -> Program:
    """One projection cut into three along its last axis, as GPT-2 has it."""

    def emit(g: Graph) -> relax.Expr:
        cuts = [sizes[0], sizes[0] + sizes[1]]
        parts = g(R.split(g.linear(g.x, g.fused), cuts, axis=1))
        query, key, value = (g(relax.TupleGetItem(parts, i)) for i in order)
        return attend(
            g,
            heads_first(g, query, ops.shape(query)[1] // DEPTH),
            heads_first(g, key, ops.shape(key)[1] // DEPTH),
            heads_first(g, value, ops.shape(value)[1] // DEPTH),
        )

    return made(emit)


def test_fused_projection_is_taken_whole() -> None:
    before = fused_projection((HEADS * DEPTH, KV_HEADS * DEPTH, KV_HEADS * DEPTH))
    after = changed(before, attention.lower_attention(same_coding))
    assert operators(after) == ["webkiln.linear", "webkiln.append", "webkiln.attend"]
    assert settings(after, "webkiln.append", "packed") == (True,)


def test_fused_projection_in_another_order_is_cut() -> None:
    before = fused_projection((KV_HEADS * DEPTH, KV_HEADS * DEPTH, HEADS * DEPTH), (2, 0, 1))
    after = changed(before, attention.lower_attention(same_coding))
    assert settings(after, "webkiln.append", "packed") == (False,)


def test_projection_cut_within_each_head_is_cut() -> None:
    """(rows, heads, 3 * depth): query, key and value of a head lie side by side."""

    def emit(g: Graph) -> relax.Expr:
        whole = g(R.reshape(g.linear(g.x, g.interleaved), (1, ROWS, HEADS, 3 * DEPTH)))
        parts = g(R.split(whole, 3, axis=3))
        three = (g(relax.TupleGetItem(parts, i)) for i in range(3))
        return attend(g, *(g(R.permute_dims(x, [0, 2, 1, 3])) for x in three))

    assert settings(lowered(emit), "webkiln.append", "packed") == (False,)


def test_projection_of_each_head_by_one_weight_stays() -> None:
    """x as (rows * heads, hidden / heads) times one (depth, hidden / heads) for all heads."""

    def emit(g: Graph) -> relax.Expr:
        split = g(R.reshape(g.x, (ROWS * HEADS, HIDDEN // HEADS)))
        query, key, value = (
            heads_first(g, g.linear(split, g(R.reshape(w, (DEPTH, HIDDEN // HEADS)))), HEADS)
            for w in (g.q_small, g.k_small, g.v_small)
        )
        return attend(g, query, key, value)

    small = {f"{name}_small": (DEPTH, HIDDEN // HEADS) for name in "qkv"}
    before = rewrite(program(emit, INPUTS, small), canonicalize.drop_identity)
    before = rewrite(before, canonicalize.canonical_linear)
    after = changed(before, attention.lower_attention(same_coding))
    assert settings(after, "webkiln.append", "packed") == (False,)


def test_interpreter_sees_a_wrong_rotation() -> None:
    """The check that guards all tests above would notice a wrong match."""
    with pytest.raises(AssertionError, match="not close"):
        assert_same(made(Layer()), made(replace(Layer(), key_tables=("sin", "cos"))))
