"""Attention classes of their own compute what they did, through the operator."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers as hf

from compiler.trace import attention, legacy
from compiler.trace.model import build_model

SIZE: dict[str, Any] = {"vocab_size": 64, "hidden_size": 32, "initializer_range": 0.2}
CONFIGS: dict[str, hf.PretrainedConfig] = {
    "bloom": hf.BloomConfig(**SIZE, n_layer=2, n_head=4),
    "codegen": hf.CodeGenConfig(
        vocab_size=64, n_embd=32, n_layer=1, n_head=4, rotary_dim=4, n_positions=32
    ),
    "falcon": hf.FalconConfig(**SIZE, num_hidden_layers=1, num_attention_heads=4),
    "falcon-alibi": hf.FalconConfig(
        **SIZE, num_hidden_layers=1, num_attention_heads=4, alibi=True, multi_query=False
    ),
    "falcon-grouped": hf.FalconConfig(
        **SIZE,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_kv_heads=2,
        new_decoder_architecture=True,
    ),
    "gptj": hf.GPTJConfig(
        vocab_size=64, n_embd=32, n_layer=1, n_head=4, rotary_dim=4, n_positions=32
    ),
    "gpt_neo": hf.GPTNeoConfig(
        **SIZE,
        num_layers=2,
        num_heads=4,
        attention_types=[[["global", "local"], 1]],
        window_size=3,
        max_position_embeddings=32,
    ),
    "llama4": hf.Llama4TextConfig(
        **SIZE,
        intermediate_size=24,
        intermediate_size_mlp=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        num_local_experts=4,
        num_experts_per_tok=2,
        moe_layers=[1],
        pad_token_id=0,
    ),
    "mpt": hf.MptConfig(vocab_size=64, d_model=32, n_layers=2, n_heads=4, max_seq_len=32),
}
ROWS = 9


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    slopes: torch.Tensor | None,
    sinks: torch.Tensor | None,
    layer: int,
    scale: float,
    window: int,
    softcap: float,
    causal: bool,
) -> torch.Tensor:
    """What the operator stands for, for tokens without a cache."""
    assert sinks is None
    assert not softcap
    assert causal
    shared = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(shared, 1) for x in (key, value))
    back = torch.arange(ROWS)[:, None] - torch.arange(ROWS)
    scores = query @ key.transpose(-1, -2) * scale
    if slopes is not None:
        scores = scores - slopes[:, None, None] * back
    unseen = (back < 0) | (back >= (window or ROWS))
    return (scores.masked_fill(unseen, -torch.inf).softmax(-1) @ value).transpose(1, 2)


def expert_linear(
    x: torch.Tensor, experts: torch.Tensor, weight: torch.Tensor, transposed: bool
) -> torch.Tensor:
    assert transposed
    return torch.einsum("rk,rkn->rn", x, weight[experts])


@pytest.mark.parametrize("name", CONFIGS)
def test_adapted_models_compute_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    real = hf.AutoModelForCausalLM.from_config(CONFIGS[name]).eval()
    built = build_model(CONFIGS[name])
    built.load_state_dict(real.state_dict())
    monkeypatch.setattr(attention, "attention", attend)
    monkeypatch.setattr(legacy, "expert_linear", expert_linear)
    ids = torch.arange(ROWS)[None] * 7 % 64
    with torch.no_grad():
        expected = real(input_ids=ids, use_cache=False).logits
        got = built(input_ids=ids, use_cache=False).logits
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
