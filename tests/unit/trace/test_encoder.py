"""The trace of an embedder, and pooling against its definition."""

from __future__ import annotations

import pytest
import torch
import transformers as hf

from compiler.graph import ops
from compiler.trace.encoder import POOLINGS, Pooling, attends, trace_embedding
from compiler.trace.model import build_model
from tests.parity.encoders import ENCODERS

pytestmark = pytest.mark.slow  # traces or compiles models

HIDDEN = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(0))
KEPT = HIDDEN[0, :3]
WEIGHTS = torch.tensor([1.0, 2.0, 3.0])
EXPECTED = {
    "cls": KEPT[0],
    "max": KEPT.max(0).values,
    "mean": KEPT.mean(0),
    "mean_sqrt_len": KEPT.sum(0) / 3**0.5,
    "weighted_mean": WEIGHTS @ KEPT / 6,
    "last": KEPT[2],
}


@pytest.mark.parametrize("mode", POOLINGS)
def test_pooling_sees_no_padding(mode: str) -> None:
    hidden = HIDDEN.clone()
    hidden[0, 3:] = torch.nan
    real = torch.tensor([1, 1, 1, 0, 0], dtype=torch.int32).reshape(1, 5, 1)
    torch.testing.assert_close(POOLINGS[mode](hidden, real)[0], EXPECTED[mode])


@pytest.mark.parametrize("mode", POOLINGS)
def test_pooling_of_a_text_as_long_as_the_function(mode: str) -> None:
    real = torch.ones(1, 3, 1, dtype=torch.int32)
    torch.testing.assert_close(POOLINGS[mode](KEPT[None], real)[0], EXPECTED[mode])


@pytest.mark.parametrize(("name", "causal"), [("nomic_bert", False), ("qwen3", True)])
def test_every_layer_attends_and_is_numbered(name: str, causal: bool) -> None:
    model = build_model(ENCODERS[name].config, hf.AutoModel)
    program = trace_embedding(model, Pooling(("cls", "mean"), True), 6)
    assert attends(program) == 2
    calls = ops.calls(program.module, "webkiln.attention")
    assert [int(ops.setting(call, "layer")) for call in calls] == [0, 1]
    assert [bool(ops.setting(call, "causal")) for call in calls] == [causal, causal]
    (result,) = program.module["main"].ret_ty.fields
    assert [int(extent) for extent in result.shape] == [1, 2 * 64]


def test_own_attention_code_has_no_operator() -> None:
    model = build_model(ENCODERS["mpnet"].config, hf.AutoModel)
    assert attends(trace_embedding(model, Pooling(("mean",), False), 6)) == 0
