"""What exporters spell in many ways is spelled in one."""

from __future__ import annotations

import pytest
from tvm import relax
from tvm.relax import op as R

from compiler.graph import canonicalize
from compiler.graph.program import Elementwise, Program, Source, Transposed
from compiler.graph.rewrite import rewrite
from tests.unit.graph.programs import (
    Emit,
    Graph,
    assert_unchanged,
    changed,
    number,
    only,
    operators,
    program,
    recipes,
    settings,
)


@pytest.mark.parametrize(
    "emit",
    [
        lambda g: R.multiply(g.x, number(1)),
        lambda g: R.astype(g.x, "float32"),
        lambda g: R.reshape(g.x, (2, 3)),
    ],
)
def test_identity_is_dropped(emit: Emit) -> None:
    made = program(lambda g: g(R.tanh(g(emit(g)))), {"x": (2, 3)})
    bindings = changed(made, canonicalize.drop_identity).module["main"].body.blocks[0].bindings
    assert len(bindings) == 2  # tanh and the result


@pytest.mark.parametrize(
    "emit",
    [
        lambda g: R.multiply(g.x, number(2)),
        lambda g: R.add(g.x, number(1)),
        lambda g: R.astype(g.x, "int32"),
        lambda g: R.reshape(g.x, (3, 2)),
        lambda g: R.multiply(g.x, R.reshape(number(1), (1, 1, 1))),  # adds an axis
    ],
)
def test_what_changes_type_shape_or_value_stays(emit: Emit) -> None:
    made = program(lambda g: g(R.negative(g(emit(g)))), {"x": (2, 3)})
    after = rewrite(made, canonicalize.drop_identity)
    assert len(after.module["main"].body.blocks[0].bindings) >= 3


def test_one_plus_weight_becomes_a_weight() -> None:
    """Gemma's norms."""
    made = program(
        lambda g: g(R.multiply(g.x, g(R.add(g.w, number(1))))), {"x": (2, 4)}, {"w": (4,)}
    )
    after = changed(made, canonicalize.fold_weight_arithmetic)
    assert operators(after) == ["relax.multiply"]
    assert recipes(after) == [Elementwise("relax.add", Source("w"), 1.0)]


def test_weight_arithmetic_with_the_constant_first() -> None:
    made = program(lambda g: g(R.add(g.x, g(R.multiply(number(3), g.w)))), {"x": (4,)}, {"w": (4,)})
    after = changed(made, canonicalize.fold_weight_arithmetic)
    assert recipes(after) == [Elementwise("relax.multiply", Source("w"), 3.0)]


@pytest.mark.parametrize(
    "emit",
    [
        lambda g: R.subtract(number(1), g.w),  # does not commute
        lambda g: R.divide(number(1), g.w),
        lambda g: R.add(g.w, g.w),
        lambda g: R.add(g.x, number(1)),  # no weight
    ],
)
def test_other_arithmetic_is_not_folded(emit: Emit) -> None:
    made = program(lambda g: g(R.add(g.x, g(emit(g)))), {"x": (4,)}, {"w": (4,)})
    assert_unchanged(made, canonicalize.fold_weight_arithmetic)


def test_transposed_product_becomes_linear() -> None:
    made = program(lambda g: g.linear(g.x, g.w), {"x": (1, 2, 4)}, {"w": (3, 4)})
    assert operators(made) == ["relax.permute_dims", "relax.matmul"]
    after = changed(made, canonicalize.canonical_linear)
    assert operators(after) == ["webkiln.linear"]
    plain = (False, False, False, "none", "none", 0.0)
    assert settings(after, "webkiln.linear", *canonicalize.PLAIN) == plain
    assert recipes(after) == [Source("w")]


def test_gpt2_product_becomes_linear_over_the_transposed_weight() -> None:
    made = program(lambda g: g(R.matmul(g.x, g.w)), {"x": (1, 2, 4)}, {"w": (4, 3)})
    after = changed(made, canonicalize.canonical_linear)
    assert operators(after) == ["webkiln.linear"]
    assert recipes(after) == [Transposed(Source("w"))]


def test_shared_weight_serves_two_products() -> None:
    def emit(g: Graph) -> relax.Expr:
        return g(R.add(g(R.matmul(g.x, g.w)), g(R.matmul(g(R.tanh(g.x)), g.w))))

    after = changed(program(emit, {"x": (2, 4)}, {"w": (4, 3)}), canonicalize.canonical_linear)
    assert recipes(after) == [Transposed(Source("w"))]


@pytest.mark.parametrize(
    ("emit", "weights"),
    [
        (lambda g: R.matmul(g.x, g.y), {}),  # of two activations
        (lambda g: R.matmul(g.x, g.w), {"w": (1, 4, 4)}),  # batched
        (lambda g: R.matmul(g.x, g(R.permute_dims(g.w, [0, 1]))), {"w": (4, 4)}),  # no transpose
        (
            lambda g: R.matmul(g.x, g(R.permute_dims(g(R.reshape(g.w, (4, 4)))))),
            {"w": (2, 8)},
        ),  # of another shape than stored
        (lambda g: R.matmul(g.w, g.x), {"w": (4, 4)}),  # weight on the left
    ],
)
def test_other_products_stay(emit: Emit, weights: dict[str, tuple[int, ...]]) -> None:
    made = program(lambda g: g(emit(g)), {"x": (4, 4), "y": (4, 4)}, weights)
    assert "webkiln.linear" not in operators(changed(made, canonicalize.canonical_linear))


def with_linear(emit: Emit, weights: dict[str, tuple[int, ...]]) -> Program:
    """The program once its products are `linear`."""
    made = program(emit, {"x": (3, 4)}, weights)
    return rewrite(made, canonicalize.canonical_linear)


@pytest.mark.parametrize("swapped", [False, True])
def test_bias_joins_its_product(swapped: bool) -> None:
    def emit(g: Graph) -> relax.Expr:
        pair = (g.linear(g.x, g.w), g.b)
        return g(R.add(*(reversed(pair) if swapped else pair)))

    after = changed(with_linear(emit, {"w": (3, 4), "b": (3,)}), canonicalize.canonical_bias)
    assert operators(after) == ["webkiln.linear"]
    assert settings(after, "webkiln.linear", "bias") == (True,)
    assert len(only(after, "webkiln.linear").args[1].fields) == 3


@pytest.mark.parametrize(
    ("emit", "bias"),
    [
        (lambda g: R.add(g.linear(g.x, g.w), g.b), (1,)),  # one number
        (lambda g: R.add(g.linear(g.x, g.w), g(R.reshape(g.b, (3, 1)))), (3,)),  # along rows
        (lambda g: R.add(g.linear(g.x, g.w), g.b), (3, 3)),  # differs from row to row
        (lambda g: R.subtract(g.linear(g.x, g.w), g.b), (3,)),
        (lambda g: R.add(g(R.tanh(g.linear(g.x, g.w))), g.b), (3,)),
    ],
)
def test_what_is_no_bias_stays(emit: Emit, bias: tuple[int, ...]) -> None:
    made = with_linear(lambda g: g(emit(g)), {"w": (3, 4), "b": bias})
    assert_unchanged(made, canonicalize.canonical_bias)


def test_bias_of_a_product_that_is_used_twice_stays() -> None:
    def emit(g: Graph) -> relax.Expr:
        product = g.linear(g.x, g.w)
        return g(R.multiply(g(R.add(product, g.b)), g(R.tanh(product))))

    assert_unchanged(with_linear(emit, {"w": (3, 4), "b": (3,)}), canonicalize.canonical_bias)


def test_second_bias_stays_an_addition() -> None:
    def emit(g: Graph) -> relax.Expr:
        return g(R.add(g(R.add(g.linear(g.x, g.w), g.b)), g.b))

    made = with_linear(emit, {"w": (3, 4), "b": (3,)})
    after = changed(made, canonicalize.canonical_bias)
    assert operators(after) == ["webkiln.linear", "relax.add"]
    assert_unchanged(after, canonicalize.canonical_bias)


def test_take_becomes_embed() -> None:
    made = program(
        lambda g: g(R.take(g.w, g.ids, axis=0)), {"ids": (1, 3)}, {"w": (5, 4)}, ("ids",)
    )
    assert operators(made) == ["relax.take"]
    assert operators(changed(made, canonicalize.canonical_embedding)) == ["webkiln.embed"]


@pytest.mark.parametrize(
    "emit",
    [
        lambda g: R.take(g.w, g.ids, axis=1),
        lambda g: R.take(g.x, g.ids, axis=0),  # of an activation
        lambda g: R.take(g(R.tanh(g.w)), g.ids, axis=0),
    ],
)
def test_other_takes_stay(emit: Emit) -> None:
    made = program(lambda g: g(emit(g)), {"ids": (3,), "x": (4, 4)}, {"w": (4, 4)}, ("ids",))
    after = rewrite(made, canonicalize.canonical_embedding)
    assert operators(after) == operators(made)


@pytest.mark.parametrize("swapped", [False, True])
def test_x_sigmoid_x_is_silu(swapped: bool) -> None:
    def emit(g: Graph) -> relax.Expr:
        pair = (g.x, g(R.sigmoid(g.x)))
        return g(R.multiply(*(reversed(pair) if swapped else pair)))

    after = changed(program(emit, {"x": (2, 3)}), canonicalize.canonical_activation)
    assert operators(after) == ["relax.nn.silu"]


@pytest.mark.parametrize(
    "emit",
    [
        lambda g: R.multiply(g.y, g(R.sigmoid(g.x))),  # of something else
        lambda g: R.multiply(g.x, g(R.sigmoid(g(R.multiply(g.x, number(1.702)))))),  # quick GELU
        lambda g: R.add(g.x, g(R.sigmoid(g.x))),
        lambda g: R.multiply(  # an outer product
            g(R.reshape(g.x, (6, 1))), g(R.sigmoid(g(R.reshape(g.x, (1, 6)))))
        ),
    ],
)
def test_what_is_no_silu_stays(emit: Emit) -> None:
    made = program(lambda g: g(emit(g)), {"x": (2, 3), "y": (2, 3)})
    assert_unchanged(made, canonicalize.canonical_activation)


def gelu_tanh(
    half: float = 0.5, one: float = 1.0, scale: float = 0.79788456, cubic: float = 0.044715,
    power: float = 3.0, other: str = "x",
) -> Emit:  # fmt: skip
    """GPT-2's GELU, `other` taking x's place in the cube."""

    def emit(g: Graph) -> relax.Expr:
        cube = g(R.power(getattr(g, other), number(power)))
        inner = g(R.add(g.x, g(R.multiply(cube, number(cubic)))))
        tanh = g(R.tanh(g(R.multiply(inner, number(scale)))))
        outer = g(R.add(tanh, number(one)))
        return g(R.multiply(g(R.multiply(g.x, number(half))), outer))

    return emit


def test_gpt2_activation_is_gelu_tanh() -> None:
    made = program(gelu_tanh(), {"x": (2, 3), "y": (2, 3)})
    assert len(operators(made)) == 8
    after = changed(made, canonicalize.canonical_activation)
    assert operators(after) == ["relax.nn.gelu_tanh"]


@pytest.mark.parametrize(
    "emit",
    [
        gelu_tanh(half=0.25),
        gelu_tanh(one=2.0),
        gelu_tanh(scale=0.8),
        gelu_tanh(cubic=0.0447),
        gelu_tanh(power=2.0),
        gelu_tanh(other="y"),
    ],
)
def test_gelu_with_another_constant_stays(emit: Emit) -> None:
    made = program(emit, {"x": (2, 3), "y": (2, 3)})
    assert_unchanged(made, canonicalize.canonical_activation)


def test_a_write_of_nothing_is_dropped() -> None:
    def emit(g: Graph) -> relax.Expr:
        none = g(R.strided_slice(g.x, [1], [2], [2]))
        return g(R.slice_scatter(g.x, none, 2, 2, 3, axis=1))

    made = rewrite(program(emit, {"x": (2, 2)}), canonicalize.drop_empty)
    assert operators(made) == []
