"""What a linear layer takes along."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tvm import relax
from tvm.relax import op as R

from compiler.graph import canonicalize, fuse
from compiler.graph.program import Program, Recipe, Rows, Source
from compiler.graph.rewrite import rewrite
from tests.unit.graph.programs import (
    Emit,
    Graph,
    assert_unchanged,
    changed,
    operators,
    program,
    recipes,
    same_coding,
    settings,
)

WEIGHTS = {"gate": (6, 4), "up": (6, 4), "one": (1, 4), "square": (4, 4), "b": (6,), "c": (6,)}


def made(emit: Emit) -> Program:
    """The program once its products and biases are canonical."""
    before = program(lambda g: g(emit(g)), {"x": (3, 4), "y": (3, 4), "z": (3, 6)}, WEIGHTS)
    for rule in (canonicalize.canonical_linear, canonicalize.canonical_bias):
        before = rewrite(before, rule)
    return before


def other_coding(recipes: list[Recipe]) -> bool:
    return False


def mlp(activation: Emit | Callable[..., relax.Expr], of: str = "x", up: str = "up") -> Emit:
    """activation(gate(x)) * up(of)"""

    def emit(g: Graph) -> relax.Expr:
        activated = g(activation(g.linear(g.x, g.gate)))
        return R.multiply(activated, g.linear(getattr(g, of), getattr(g, up)))

    return emit


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        (R.nn.silu, "silu"),
        (R.nn.gelu, "gelu"),
        (R.nn.gelu_tanh, "gelu_tanh"),
        (R.nn.relu, "relu"),
    ],
)
def test_gated_mlp(activation: Callable[..., relax.Expr], name: str) -> None:
    before = made(mlp(activation))
    assert operators(before) == [
        "webkiln.linear",
        f"relax.nn.{name}",
        "webkiln.linear",
        "relax.multiply",
    ]
    after = changed(before, fuse.fuse_gated_mlp(same_coding))
    assert operators(after) == ["webkiln.linear"]
    assert settings(after, "webkiln.linear", "gated", "activation") == (True, name)
    assert recipes(after) == [Rows((Source("gate"), Source("up")))]  # gate first


def test_gated_mlp_written_the_other_way_round() -> None:
    def emit(g: Graph) -> relax.Expr:
        up = g.linear(g.x, g.up)
        return R.multiply(up, g(R.nn.silu(g.linear(g.x, g.gate))))

    after = changed(made(emit), fuse.fuse_gated_mlp(same_coding))
    assert recipes(after) == [Rows((Source("gate"), Source("up")))]


def test_gated_mlp_with_biases() -> None:
    def emit(g: Graph) -> relax.Expr:
        gate = g(R.add(g.linear(g.x, g.gate), g.b))
        return R.multiply(g(R.nn.silu(gate)), g(R.add(g.linear(g.x, g.up), g.c)))

    after = changed(made(emit), fuse.fuse_gated_mlp(same_coding))
    assert operators(after) == ["webkiln.linear"]
    assert Rows((Source("b"), Source("c"))) in recipes(after)


def test_gated_mlp_of_different_codings_stays() -> None:
    assert_unchanged(made(mlp(R.nn.silu)), fuse.fuse_gated_mlp(other_coding))


def bias_on_one(g: Graph) -> relax.Expr:
    gate = g(R.add(g.linear(g.x, g.gate), g.b))
    return R.multiply(g(R.nn.silu(gate)), g.linear(g.x, g.up))


def gate_used_twice(g: Graph) -> relax.Expr:
    gate = g(R.nn.silu(g.linear(g.x, g.gate)))
    return R.add(gate, g(R.multiply(gate, g.linear(g.x, g.up))))


def up_used_twice(g: Graph) -> relax.Expr:
    up = g.linear(g.x, g.up)
    return R.add(up, g(R.multiply(g(R.nn.silu(g.linear(g.x, g.gate))), up)))


@pytest.mark.parametrize(
    "emit",
    [
        mlp(R.nn.silu, of="y"),  # of two inputs
        mlp(R.nn.silu, up="one"),  # one gate value for the whole row
        mlp(R.tanh),
        bias_on_one,
        gate_used_twice,
        up_used_twice,
        lambda g: R.multiply(g(R.nn.silu(g.linear(g.x, g.gate))), g.z),
    ],
)
def test_what_is_no_gated_mlp_stays(emit: Emit) -> None:
    assert_unchanged(made(emit), fuse.fuse_gated_mlp(same_coding))


def test_activation_joins_its_product() -> None:
    after = changed(
        made(lambda g: R.nn.gelu(g(R.add(g.linear(g.x, g.gate), g.b)))), fuse.fuse_activation
    )
    assert operators(after) == ["webkiln.linear"]
    assert settings(after, "webkiln.linear", "activation", "bias") == ("gelu", True)


def used_before_and_after(g: Graph) -> relax.Expr:
    product = g.linear(g.x, g.gate)
    return R.multiply(product, g(R.nn.relu(product)))


@pytest.mark.parametrize(
    "emit",
    [
        used_before_and_after,
        lambda g: R.tanh(g.linear(g.x, g.gate)),  # no kernel has it
        lambda g: R.nn.relu(g.x),
    ],
)
def test_other_activations_stay(emit: Emit) -> None:
    assert_unchanged(made(emit), fuse.fuse_activation)


def test_second_activation_stays() -> None:
    before = made(lambda g: R.nn.relu(g(R.nn.gelu(g.linear(g.x, g.gate)))))
    after = changed(changed(before, fuse.fuse_activation), fuse.fuse_activation)
    assert operators(after) == ["webkiln.linear", "relax.nn.relu"]


@pytest.mark.parametrize("swapped", [False, True])
def test_residual_joins_its_product(swapped: bool) -> None:
    def emit(g: Graph) -> relax.Expr:
        pair = (g(R.tanh(g.y)), g.linear(g.x, g.square))
        return R.add(*(reversed(pair) if swapped else pair))

    after = changed(made(emit), fuse.fuse_residual)
    assert operators(after) == ["relax.tanh", "webkiln.linear"]
    assert settings(after, "webkiln.linear", "residual") == (True,)


def test_parallel_attention_and_mlp_chain_their_sums() -> None:
    """x + (attention(x) + mlp(x)), as in GPT-NeoX."""

    def emit(g: Graph) -> relax.Expr:
        x = g(R.tanh(g.x))
        return R.add(x, g(R.add(g.linear(x, g.square), g.linear(g(R.negative(x)), g.square))))

    chained = changed(made(emit), fuse.chain_residuals)
    after = changed(chained, fuse.fuse_residual)
    assert operators(after).count("webkiln.linear") == 2
    assert "relax.add" not in operators(after)


def sum_used_twice(g: Graph) -> relax.Expr:
    inner = g(R.add(g.linear(g.x, g.square), g.linear(g.y, g.square)))
    return R.multiply(inner, g(R.add(g(R.tanh(g.x)), inner)))


@pytest.mark.parametrize(
    "emit",
    [
        sum_used_twice,
        lambda g: R.add(g(R.tanh(g.x)), g(R.add(g.linear(g.x, g.square), g(R.tanh(g.y))))),
        lambda g: R.add(g.x, g(R.add(g.linear(g.x, g.square), g.linear(g.y, g.square)))),
    ],
)
def test_other_chains_stay(emit: Emit) -> None:
    before = made(emit)
    after = changed(before, fuse.chain_residuals)
    assert after.module.script() == before.module.script()


def sum_used_inside(g: Graph) -> relax.Expr:
    product = g.linear(g.x, g.square)
    return R.multiply(product, g(R.add(g(R.tanh(g.y)), product)))


@pytest.mark.parametrize(
    "emit",
    [
        sum_used_inside,
        lambda g: R.add(g(R.reshape(g(R.tanh(g.y)), (1, 3, 4))), g.linear(g.x, g.square)),
        lambda g: R.subtract(g(R.tanh(g.y)), g.linear(g.x, g.square)),
        lambda g: R.add(g(R.tanh(g.y)), g.x),
    ],
)
def test_other_sums_stay(emit: Emit) -> None:
    assert_unchanged(made(emit), fuse.fuse_residual)


def test_residual_is_not_added_before_an_activation() -> None:
    before = made(lambda g: R.add(g(R.tanh(g.z)), g(R.nn.relu(g.linear(g.x, g.gate)))))
    activated = changed(before, fuse.fuse_activation)
    assert operators(activated) == ["relax.tanh", "webkiln.linear", "relax.add"]
    assert_unchanged(activated, fuse.fuse_residual)
