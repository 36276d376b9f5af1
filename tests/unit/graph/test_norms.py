"""RMSNorm and LayerNorm, and what only looks like them."""

from __future__ import annotations

import pytest
from tvm import relax
from tvm.relax import op as R

from compiler.graph import norms, ops
from compiler.graph.program import Program
from compiler.graph.rewrite import rewrite
from tests.unit.graph.programs import (
    Emit,
    Graph,
    assert_unchanged,
    changed,
    number,
    operators,
    program,
    settings,
)

SQUARE = {"x": (4, 4), "y": (4, 4)}  # every axis has the same extent: only meaning differs


def made(emit: Emit) -> Program:
    return program(emit, SQUARE, {"w": (4,)})


def rms(
    g: Graph, *, axis: int = -1, keepdims: bool = True, power: float = 2, of: str = "x"
) -> relax.Expr:
    """x * rsqrt(mean(of^power) + epsilon)"""
    raised = g(R.power(getattr(g, of), number(power)))
    mean = g(R.mean(raised, axis=[axis], keepdims=keepdims))
    return g(R.multiply(g.x, g(R.rsqrt(g(R.add(mean, number(1e-5)))))))


def test_llama_norm() -> None:
    before = made(lambda g: g.rms_norm(g.x, g.w, epsilon=1e-6))
    assert len(operators(before)) == 6
    after = changed(before, norms.recognise_rms_norm)
    assert operators(after) == ["webkiln.rms_norm"]
    assert settings(after, "webkiln.rms_norm", "epsilon") == (pytest.approx(1e-6),)


def test_square_as_a_product_and_weight_last() -> None:
    def emit(g: Graph) -> relax.Expr:
        mean = g(R.mean(g(R.multiply(g.x, g.x)), axis=[1], keepdims=True))
        factor = g(R.rsqrt(g(R.add(mean, number(1e-5)))))
        return g(R.multiply(g(R.multiply(factor, g.x)), g.w))

    assert operators(changed(made(emit), norms.recognise_rms_norm)) == ["webkiln.rms_norm"]


def test_viewed_weight() -> None:
    after = changed(
        made(lambda g: g(R.multiply(g(R.reshape(g.w, (1, 4))), rms(g)))), norms.recognise_rms_norm
    )
    assert operators(after) == ["webkiln.rms_norm"]


def test_intermediate_used_elsewhere_is_kept_too() -> None:
    def emit(g: Graph) -> relax.Expr:
        scaled = rms(g)
        return g(R.add(g(R.multiply(g.w, scaled)), scaled))

    after = changed(made(emit), norms.recognise_rms_norm)
    assert operators(after).count("webkiln.rms_norm") == 1
    assert "relax.rsqrt" in operators(after)


@pytest.mark.parametrize(
    "emit",
    [
        lambda g: R.multiply(g.w, rms(g, axis=0)),
        lambda g: R.multiply(g.w, rms(g, keepdims=False)),  # divides columns, not rows
        lambda g: R.multiply(g.w, rms(g, power=3)),
        lambda g: R.multiply(g.w, rms(g, of="y")),
        lambda g: R.multiply(g.y, rms(g)),  # scaled by an activation
        lambda g: R.add(g.w, rms(g)),
        lambda g: R.multiply(g(R.reshape(g.w, (4, 1))), rms(g)),  # scales rows
        lambda g: R.multiply(g.w, g(R.multiply(g.x, g(R.rsqrt(g.y))))),
    ],
)
def test_what_is_no_rms_norm_stays(emit: Emit) -> None:
    assert_unchanged(made(lambda g: g(emit(g))), norms.recognise_rms_norm)


def test_mean_of_the_whole_tensor_is_no_norm() -> None:
    def emit(g: Graph) -> relax.Expr:
        mean = g(R.mean(g(R.power(g.x, number(2)))))
        factor = g(R.rsqrt(g(R.add(mean, number(1e-5)))))
        return g(R.multiply(g.w, g(R.multiply(g.x, factor))))

    before = made(emit)
    assert operators(rewrite(before, norms.recognise_rms_norm)) == operators(before)


def layer_norm(axes: list[int], weight: str = "w") -> Emit:
    return lambda g: g(R.nn.layer_norm(g.x, getattr(g, weight), g.b, axes=axes, epsilon=1e-4))


def test_layer_norm() -> None:
    before = program(layer_norm([-1]), {"x": (2, 3, 4)}, {"w": (4,), "b": (4,)})
    after = changed(before, norms.recognise_layer_norm)
    assert operators(after) == ["webkiln.layer_norm"]
    assert settings(after, "webkiln.layer_norm", "epsilon") == (pytest.approx(1e-4),)


def test_layer_norm_over_another_axis_stays() -> None:
    before = program(layer_norm([0]), {"x": (4, 4)}, {"w": (4,), "b": (4,)})
    assert operators(rewrite(before, norms.recognise_layer_norm)) == ["relax.nn.layer_norm"]


def test_layer_norm_with_computed_weight_stays() -> None:
    before = program(layer_norm([-1], "y"), {"x": (2, 4), "y": (4,)}, {"b": (4,)})
    assert_unchanged(before, norms.recognise_layer_norm)


def turned(g: Graph, axes: list[int]) -> relax.Expr:
    x = g(R.permute_dims(g(R.reshape(g.x, (1, 2, 2, 4))), axes))
    return g(ops.make("rms_norm", [x, g.w], (1, 2, 2, 4), epsilon=1e-5))


def test_norm_of_heads_put_first_becomes_one_of_tokens_first() -> None:
    before = made(lambda g: turned(g, [0, 2, 1, 3]))
    after = changed(before, norms.before_transpose)
    found = [name for name in operators(after) if name != "relax.reshape"]
    assert found == ["webkiln.rms_norm", "relax.permute_dims"]


def test_other_orders_stay() -> None:
    assert_unchanged(made(lambda g: turned(g, [0, 1, 2, 3])), norms.before_transpose)
