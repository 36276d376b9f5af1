"""Exported programs in Relax, and which checkpoint tensor each parameter is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers as hf
import tvm
from tvm import relax

from compiler.errors import UnsupportedModelError
from compiler.graph import ops
from compiler.graph.program import Source
from compiler.trace.importer import import_program, trace
from compiler.trace.model import build_model
from tests.parity.encoders import ENCODERS
from tests.unit.checkpoint import tiny

pytestmark = pytest.mark.slow  # traces models


class Strange(torch.nn.Module):
    """Its weight goes through something TVM has no converter for."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.special.i0(x)


def test_parameters_are_inputs_then_weights() -> None:
    config = tiny.llama(tie_word_embeddings=False).config
    program = trace(build_model(config), 3)
    params = list(program.module["main"].params)
    assert [ops.shape(p) for p in params[:2]] == [(1, 3), (1, 3)]
    assert [ops.dtype(p) for p in params[:2]] == ["int32", "int32"]
    assert {p.name for p in params[2:]} == set(program.weights)
    names = {name for name, _ in tiny.llama(tie_word_embeddings=False).named_parameters()}
    assert {r.name for r in program.weights.values() if isinstance(r, Source)} == names


def test_attention_is_one_operator_per_layer() -> None:
    program = trace(build_model(tiny.llama().config), 1)
    calls = ops.calls(program.module, "webkiln.attention")
    assert [int(ops.setting(call, "layer")) for call in calls] == [0, 1]
    assert [float(ops.setting(call, "scale")) for call in calls] == [0.25, 0.25]
    assert [ops.shape(x) for x in ops.operands(calls[0])] == [(1, 4, 1, 16), *[(1, 2, 1, 16)] * 2]


def test_buffers_are_constants() -> None:
    """They are in no checkpoint."""
    model = build_model(tiny.small(hf.Gemma2Config, head_dim=8))
    program = trace(model, 1)
    names = {r.name for r in program.weights.values() if isinstance(r, Source)}
    assert names <= {name for name, _ in model.named_parameters(remove_duplicate=False)}


def test_operator_without_a_converter_is_named() -> None:
    exported = torch.export.export(Strange(), (torch.zeros(2),), strict=False)
    with pytest.raises(UnsupportedModelError, match="i0"):
        import_program(exported)


def test_models_that_do_not_cache_through_the_operator_are_refused() -> None:
    """They would compile, and decode as if each token were the first."""
    own_attention = build_model(tiny.small(hf.DiffLlamaConfig, num_key_value_heads=2))
    with pytest.raises(UnsupportedModelError, match="ForCausalLM"):
        trace(own_attention, 1)


def test_model_that_cannot_be_traced_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_model(tiny.llama().config)

    def decide(*args: object, **kwargs: object) -> object:
        raise RuntimeError("data-dependent control flow")

    monkeypatch.setattr(model, "forward", decide)
    with pytest.raises(UnsupportedModelError, match=r"torch\.export cannot trace.*data-dependent"):
        trace(model, 1)


def test_what_looks_at_later_tokens_generates_nothing() -> None:
    config = ENCODERS["bert"].config  # no decoder
    with pytest.raises(UnsupportedModelError, match="BertLMHeadModel looks at later tokens too"):
        trace(build_model(config), 3)


class Rounded(torch.nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        modes = ("floor", "trunc")
        of_whole = [torch.div(x, 2, rounding_mode=mode) for mode in modes]
        return *of_whole, *(torch.div(y, 0.7, rounding_mode=mode) for mode in modes)


def test_rounded_quotients() -> None:
    x, y = torch.tensor([-5, -4, 3, 4]), torch.tensor([-5.0, -0.1, 0.1, 5.0])
    module = import_program(torch.export.export(Rounded(), (x, y))).module
    machine = relax.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())
    inputs = [tvm.runtime.tensor(each.numpy()) for each in (x.int(), y)]
    for expected, got in zip(Rounded()(x, y), machine["main"](*inputs), strict=True):
        np.testing.assert_array_equal(got.numpy(), expected.numpy())
