"""Experts as one operator, with the model's own routing around it."""

from __future__ import annotations

from compiler.graph import ops
from compiler.graph.program import Source
from compiler.trace.importer import trace
from compiler.trace.model import build_model
from tests.unit.checkpoint.tiny import mixtral
from tests.unit.graph.programs import operators


def test_both_products_of_each_token_with_its_experts() -> None:
    program = trace(build_model(mixtral()), 3)
    assert operators(program).count("webkiln.expert_linear") == 2
    calls = [
        binding.value
        for binding in program.module["main"].body.blocks[0].bindings
        if ops.name(binding.value) == "webkiln.expert_linear"
    ]
    x, chosen, weight = ops.operands(calls[0])
    assert (ops.shape(x), ops.shape(chosen), ops.shape(weight)) == ((3, 16), (6,), (4, 48, 16))
    assert ops.dtype(chosen) == "int32"
    inner, _, down = ops.operands(calls[1])
    assert (ops.shape(inner), ops.shape(down)) == ((6, 24), (4, 16, 24))
    name = "model.layers.0.mlp.experts.gate_up_proj"
    assert Source(name) in program.weights.values()
