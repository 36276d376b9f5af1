"""Experts as one operator, with the model's own routing around it."""

from __future__ import annotations

import pytest

from compiler.graph import ops
from compiler.graph.program import Source
from compiler.trace.importer import trace
from compiler.trace.model import build_model
from tests.unit.checkpoint.tiny import mixtral


@pytest.mark.slow
def test_both_products_of_each_token_with_its_experts() -> None:
    program = trace(build_model(mixtral()), 3)
    first, second = ops.calls(program.module, "webkiln.expert_linear")
    x, chosen, weight = ops.operands(first)
    assert (ops.shape(x), ops.shape(chosen), ops.shape(weight)) == ((3, 16), (6,), (4, 48, 16))
    assert ops.dtype(chosen) == "int32"
    inner, _, down = ops.operands(second)
    assert (ops.shape(inner), ops.shape(down)) == ((6, 24), (4, 16, 24))
    name = "model.layers.0.mlp.experts.gate_up_proj"
    assert Source(name) in program.weights.values()
