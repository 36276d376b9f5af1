"""Norms on their way into the linear layers that read them."""

from __future__ import annotations

import pytest
from tvm import relax
from tvm.relax import op as R

from compiler.graph import canonicalize, fuse, norms, ops, prologue
from compiler.graph.canonicalize import PLAIN
from compiler.graph.program import Program
from compiler.graph.rewrite import rewrite
from tests.unit.graph.programs import (
    Emit,
    Graph,
    assert_same,
    assert_unchanged,
    changed,
    operators,
    program,
    settings,
)

RULES = (
    canonicalize.canonical_linear,
    canonicalize.canonical_bias,
    norms.recognise_rms_norm,
    norms.recognise_layer_norm,
)


NO_HEADS = {"slopes": False, "sinks": False, "causal": True}


def made(emit: Emit, columns: int = 4) -> Program:
    """The program once its norms and products are canonical."""
    weights = {"w": (6, columns), "v": (6, columns), "g": (columns,), "h": (columns,), "b": (6,)}
    inputs = {"x": (1, 3, columns), "y": (1, 3, 6)}
    before = program(lambda g: g(emit(g)), inputs, weights)
    for rule in RULES:
        before = rewrite(before, rule)
    return before


def layer_norm(g: Graph) -> relax.Var:
    return g(R.nn.layer_norm(g.x, g.g, g.h, axes=[-1], epsilon=1e-3))


def test_rms_norm_joins_its_product() -> None:
    before = made(lambda g: R.add(g.linear(g.rms_norm(g.x, g.g, 1e-3), g.w), g.b))
    assert operators(before) == ["webkiln.rms_norm", "webkiln.linear"]
    after = changed(before, prologue.fuse_norm)
    assert operators(after) == ["webkiln.linear"]
    assert settings(after, "webkiln.linear", "norm", "bias") == ("rms", True)
    assert settings(after, "webkiln.linear", "epsilon") == pytest.approx((1e-3,))


def test_layer_norm_joins_its_product() -> None:
    after = changed(made(lambda g: g.linear(layer_norm(g), g.w)), prologue.fuse_norm)
    assert operators(after) == ["webkiln.linear"]
    assert settings(after, "webkiln.linear", "norm") == ("layer",)


def test_every_product_of_a_norm_takes_it() -> None:
    """Attention and MLP side by side read one norm, as in Phi and GPT-NeoX."""

    def emit(g: Graph) -> relax.Expr:
        normed = layer_norm(g)
        return R.add(g.linear(normed, g.w), g.linear(normed, g.v))

    after = changed(made(emit), prologue.fuse_norm)
    assert operators(after) == ["webkiln.linear", "webkiln.linear", "relax.add"]


def read_by_another(g: Graph) -> relax.Expr:
    normed = g.rms_norm(g.x, g.g)
    return R.add(g(R.mean(normed, axis=[-1], keepdims=True)), g.linear(normed, g.w))


def across_rows(g: Graph) -> relax.Expr:
    """A norm over 4 values whose results a product of 12 reads."""
    flat = g(R.reshape(g.rms_norm(g.x, g.g), (1, 12)))
    return g.linear(flat, g(R.reshape(g.w, (2, 12))))


@pytest.mark.parametrize("emit", [read_by_another, across_rows])
def test_norms_that_others_read_stay(emit: Emit) -> None:
    assert_unchanged(made(emit), prologue.fuse_norm)


def test_norms_of_odd_rows_stay() -> None:
    """Kernels that norm read vectors of four."""
    assert_unchanged(made(lambda g: g.linear(g.rms_norm(g.x, g.g), g.w), 6), prologue.fuse_norm)


def rows_of_four(emit: Emit) -> Program:
    weights = {"w": (6, 4), "v": (4, 4), "g": (4,), "h": (4,)}
    before = program(lambda g: g(emit(g)), {"x": (1, 3, 4), "y": (1, 3, 4)}, weights)
    for rule in RULES:
        before = rewrite(before, rule)
    return before


def post_norm(g: Graph) -> relax.Var:
    """A norm after a layer, added to the residual stream."""
    return g(R.add(g(R.tanh(g.x)), g.rms_norm(g(R.tanh(g.y)), g.g, 1e-3)))


def test_post_norm_and_residual_are_one() -> None:
    before = rows_of_four(post_norm)
    after = changed(before, prologue.fuse_sum)
    assert operators(after) == ["relax.tanh", "relax.tanh", "webkiln.add_norm"]
    assert settings(after, "webkiln.add_norm", "epsilon") == pytest.approx((1e-3,))


def norm_used_twice(g: Graph) -> relax.Expr:
    normed = g.rms_norm(g.y, g.g)
    return R.multiply(normed, g(R.add(g(R.tanh(g.x)), normed)))


@pytest.mark.parametrize(
    "emit",
    [
        norm_used_twice,
        lambda g: R.subtract(g(R.tanh(g.x)), g.rms_norm(g.y, g.g)),
        lambda g: R.add(g(R.reshape(g(R.tanh(g.x)), (3, 1, 4))), g.rms_norm(g.y, g.g)),
    ],
)
def test_other_sums_stay(emit: Emit) -> None:
    assert_unchanged(rows_of_four(emit), prologue.fuse_sum)


def product_alone(g: Graph) -> relax.Expr:
    return g.linear(g.rms_norm(post_norm(g), g.h), g.w)


def product_first(g: Graph) -> relax.Expr:
    total = post_norm(g)
    product = g.linear(total, g.v)
    return R.multiply(product, total)


def product_last(g: Graph) -> relax.Expr:
    total = post_norm(g)
    return R.multiply(g(R.tanh(total)), g.linear(total, g.v))


def product_and_residual(g: Graph) -> relax.Expr:
    """One kernel may not write the sum and read it."""
    total = post_norm(g)
    return R.add(total, g.linear(total, g.v))


@pytest.mark.parametrize(
    ("emit", "expected"),
    [
        (product_alone, (True, False)),
        (product_first, (True, True)),
        (product_last, (False, False)),
        (product_and_residual, (False, False)),
        (post_norm, (False, False)),
    ],
)
def test_sums_are_left_to_a_product_that_reads_them_first(
    emit: Emit, expected: tuple[bool, bool]
) -> None:
    before = rows_of_four(emit)
    for rule in (fuse.fuse_residual, prologue.fuse_sum, prologue.fuse_norm):
        before = changed(before, rule)
    after = changed(before, prologue.defer_sum)
    assert settings(after, "webkiln.add_norm", "deferred", "kept") == expected


def attention(
    g: Graph, projection: relax.Expr, layer: int = 0, *, rotary: int = 4, normed: bool = False
) -> relax.Var:
    """Two heads of 4 values on one, of three tokens."""
    extra = [g.cos, g.sin] if rotary else []
    extra += [g.query_norm, g.key_norm] if normed else []
    shared = {"layer": layer, "kv_heads": 1}
    settings = {"packed": True, "rotary": rotary, "normed": normed, "epsilon": 1e-2, **shared}
    append = g(ops.make("append", [projection, *extra], (3, 2, 4), **settings))
    settings = {"scale": 0.5, "window": 0, "softcap": 0.0, "deferred": False, **NO_HEADS, **shared}
    return g(ops.make("attend", [append], (3, 2, 4), **settings))


def projection(g: Graph, **changes: object) -> relax.Var:
    args = [g.x, g.w, *([g.b] if changes.get("bias") else [])]
    return g(ops.make("linear", args, (3, 16), **{**PLAIN, **changes}))


def layers(emit: Emit, rotary: int = 4) -> Program:
    inputs = {"x": (3, 4), "cos": (3, rotary), "sin": (3, rotary)}
    weights = {"w": (16, 4), "b": (16,), "query_norm": (4,), "key_norm": (4,)}
    return program(lambda g: g(emit(g)), inputs, weights)


@pytest.mark.parametrize("rotary", [0, 2, 4])
@pytest.mark.parametrize("normed", [False, True])
def test_append_joins_its_projection(rotary: int, normed: bool) -> None:
    before = layers(
        lambda g: attention(g, projection(g, bias=True), rotary=rotary, normed=normed),
        max(rotary, 1),
    )
    assert operators(before) == ["webkiln.linear", "webkiln.append", "webkiln.attend"]
    after = changed(before, prologue.fuse_append)
    assert operators(after) == ["webkiln.place", "webkiln.project_append", "webkiln.attend"]
    found = settings(after, "webkiln.project_append", "bias", "rotary", "normed", "layer")
    assert found == (True, rotary, normed, 0)


def test_layers_share_a_place() -> None:
    def emit(g: Graph) -> relax.Expr:
        return R.add(attention(g, projection(g), 0), attention(g, projection(g, bias=True), 1))

    before = layers(emit)
    after = prologue.fuse_prologues(before)
    assert_same(before, after)
    assert operators(after).count("webkiln.place") == 1
    assert operators(after).count("webkiln.project_append") == 2


def one_token(emit: Emit) -> Program:
    """Two heads of 4 values, and what becomes of them."""
    weights = {"w": (8, 8), "v": (8, 8), "g": (8,), "h": (2, 4)}
    before = program(lambda g: g(emit(g)), {"x": (1, 16), "y": (1, 8)}, weights)
    for rule in RULES:
        before = rewrite(before, rule)
    return before


def attended(g: Graph, rows: int = 1) -> relax.Var:
    shared = {"layer": 0, "kv_heads": 1}
    settings = {"packed": True, "rotary": 0, "normed": False, "epsilon": 1e-2, **shared}
    append = g(ops.make("append", [g.x], (rows, 2, 4), **settings))
    settings = {"scale": 0.5, "window": 0, "softcap": 0.0, "deferred": False, **NO_HEADS, **shared}
    return g(ops.make("attend", [append], (rows, 2, 4), **settings))


def flat(g: Graph, expr: relax.Expr) -> relax.Var:
    return g(R.reshape(expr, (1, 8)))


def output_projection(g: Graph) -> relax.Expr:
    return R.add(g.linear(flat(g, attended(g)), g.w), g.y)


def two_projections(g: Graph) -> relax.Expr:
    found = flat(g, attended(g))
    return R.add(g.linear(found, g.w), g.linear(found, g.v))


@pytest.mark.parametrize("emit", [output_projection, two_projections])
def test_linear_layers_put_attention_together(emit: Emit) -> None:
    after = changed(one_token(emit), prologue.defer_combine)
    assert settings(after, "webkiln.attend", "deferred", "scale") == (True, 0.5)
    assert_unchanged(after, prologue.defer_combine)


def gated_attention(g: Graph) -> relax.Expr:
    return g.linear(g(R.multiply(flat(g, attended(g)), g.y)), g.w)


def attention_and_its_product(g: Graph) -> relax.Expr:
    found = flat(g, attended(g))
    return R.multiply(found, g.linear(found, g.w))


def normed_attention(g: Graph) -> relax.Expr:
    return g.linear(g.rms_norm(flat(g, attended(g)), g.g), g.w)


def attention_as_residual(g: Graph) -> relax.Expr:
    found = flat(g, attended(g))
    return R.add(g.linear(found, g.w), found)


def projection_of_each_head(g: Graph) -> relax.Expr:
    return g.linear(g(R.reshape(attended(g), (2, 4))), g.h)


@pytest.mark.parametrize(
    "emit",
    [
        gated_attention,
        attention_and_its_product,
        normed_attention,
        attention_as_residual,
        projection_of_each_head,
        attended,
    ],
)
def test_what_others_read_is_put_together_first(emit: Emit) -> None:
    before = one_token(emit)
    for rule in (fuse.fuse_residual, prologue.fuse_norm):
        before = changed(before, rule)
    after = changed(before, prologue.defer_combine)
    assert settings(after, "webkiln.attend", "deferred") == (False,)


def test_prompts_are_not_put_together() -> None:
    def emit(g: Graph) -> relax.Expr:
        return g.linear(g(R.reshape(attended(g, 2), (2, 8))), g.w)

    before = program(lambda g: g(emit(g)), {"x": (2, 16)}, {"w": (8, 8)})
    assert_unchanged(rewrite(before, canonicalize.canonical_linear), prologue.defer_combine)


def projection_used_twice(g: Graph) -> relax.Expr:
    packed = projection(g)
    found = g(R.reshape(attention(g, packed), (3, 8)))
    return R.add(g(R.mean(packed, axis=[-1], keepdims=True)), found)


@pytest.mark.parametrize(
    "emit",
    [
        projection_used_twice,
        lambda g: attention(g, projection(g, activation="silu")),
        lambda g: attention(g, g(R.matmul(g.x, g(R.permute_dims(g.w))))),
    ],
)
def test_other_projections_stay(emit: Emit) -> None:
    assert_unchanged(layers(emit), prologue.fuse_append)
