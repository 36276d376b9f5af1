"""Attention that is written out becomes the operator, and computes the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers as hf

from compiler.trace.masks import Masks
from compiler.trace.model import build_model, export
from compiler.trace.softmax import recognise
from compiler.trace.states import kept
from tests.unit.checkpoint import tiny

ROWS = 5
OPERATOR = torch.ops.webkiln.attention.default
OWN_TABLE = hf.OpenAIGPTConfig(vocab_size=64, n_positions=256, n_embd=16, n_layer=2, n_head=2)
NO_TABLE = tiny.small(hf.MegatronBertConfig, num_hidden_layers=2, is_decoder=True)


class Computed(torch.fx.Interpreter):
    """Runs a graph with the operator as it is meant."""

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        if target != OPERATOR:
            return super().call_function(target, args, kwargs)
        query, key, value, slopes, sinks, _, scale, window, softcap, causal = args
        assert (slopes, sinks, window, softcap, causal) == (None, None, 0, 0.0, True)
        out = torch.nn.functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scale
        )
        return out.transpose(1, 2)


@pytest.mark.parametrize("config", [OWN_TABLE, NO_TABLE], ids=["own table", "no table"])
def test_attention_that_is_written_out(config: hf.PretrainedConfig) -> None:
    torch.manual_seed(0)
    reference = hf.AutoModelForCausalLM.from_config(config).eval()  # type: ignore[no-untyped-call]
    model = build_model(config)
    model.load_state_dict(reference.state_dict())
    exported = export(model, ROWS, kept(model))
    layers = [node.args[5] for node in exported.graph.nodes if node.target == OPERATOR]
    assert layers == [0, 1]
    ids, positions = torch.randint(0, 64, (1, ROWS)), torch.arange(ROWS)[None]
    with torch.no_grad():
        found = Computed(exported.module()).run(ids.int(), positions.int())  # type: ignore[arg-type]
        torch.testing.assert_close(found[0], reference(input_ids=ids).logits)


class Written(torch.nn.Module):
    """softmax(q k^T + table) v of what it is given; the table is cut to the rows there are."""

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        heads = x.view(1, ROWS, 2, 4).transpose(1, 2)
        scores = heads @ heads.transpose(-1, -2) / 2 + self.table[:ROWS, :ROWS]
        return scores.softmax(-1) @ heads


def recognised(table: torch.Tensor, windows: set[int]) -> bool:
    exported = torch.export.export(Written(table), (torch.rand(1, ROWS, 8),), strict=False)
    recognise(exported, Masks(windows), ROWS)
    return any(node.target == OPERATOR for node in exported.graph.nodes)


HIDDEN = torch.full((9, 9), -1e9)
CAUSAL = HIDDEN.triu(1)
PLAIN = torch.zeros(9, 9)


@pytest.mark.parametrize(
    ("table", "windows", "expected"),
    [
        (CAUSAL, set(), True),
        (CAUSAL, {0}, True),
        (CAUSAL + HIDDEN.tril(-7), set(), False),  # a window longer than the rows
        (CAUSAL / 1e8, set(), False),  # later tokens are not hidden
        (CAUSAL + torch.rand(9, 1), set(), False),  # a bias
        (CAUSAL, {0, 6}, False),  # which layer has which?
        (PLAIN, set(), False),  # looks both ways
    ],
)
def test_masks_are_told_from_other_tables(
    table: torch.Tensor, windows: set[int], expected: bool
) -> None:
    assert recognised(table, windows) is expected
