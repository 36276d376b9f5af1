"""Classes outside transformers' interfaces for attention and experts, led to the same operators.

Each adapter replaces what comes after the heads are split: scores, softmax and their product with
the values; of experts, the products with every one of them. Projections, rotary embedding, routers
and everything else stay the model's own code.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import MethodType
from typing import Any

import torch
from transformers import PreTrainedModel

from compiler.trace.attention import attend
from compiler.trace.experts import expert_linear


def install(model: PreTrainedModel) -> None:
    """Adapts every module of `model` whose class is listed below."""
    for module in model.modules():
        if (adapter := _EXPERTS.get(type(module).__name__)) is not None:
            adapter(module)
        if (adapter := _ADAPTERS.get(type(module).__name__)) is not None:
            adapter(module)
            model.config._attn_implementation = "eager"  # expects masks, which nothing reads


def _only_scores(layer: str) -> Callable[[Any], None]:
    """Classes with a method `_attn` of query, key, value and mask; `layer` numbers them."""

    def adapter(module: Any) -> None:
        local = getattr(module, "attention_type", "") == "local"
        settings = {
            "layer": getattr(module, layer),
            "scale": 1 / float(getattr(module, "scale_attn", 1)),
            "window": module.config.window_size if local else 0,
        }

        def _attn(self: Any, query: Any, key: Any, value: Any, *_: Any) -> tuple[Any, None]:
            return attend(query, key, value, **settings).transpose(1, 2), None

        module._attn = MethodType(_attn, module)

    return adapter


def _bloom(module: Any) -> None:
    code = sys.modules[type(module).__module__]
    slopes = code._get_alibi_slopes(module.num_heads, torch.device("cpu")) * module.beta

    def forward(self: Any, hidden_states: Any, residual: Any, *_: Any, **__: Any) -> Any:
        heads = self._reshape(self.query_key_value(hidden_states))
        out = attend(*heads, layer=self.layer_idx, scale=self.inv_norm_factor, slopes=slopes)
        return self.dense(out.flatten(2)) + residual, None

    module.forward = MethodType(forward, module)


def _falcon(module: Any) -> None:
    code = sys.modules[type(module).__module__]
    # Scores are scaled after the bias is added. One position's bias less the one before is a slope.
    bias = code.build_alibi_tensor(torch.ones(1, 2), module.num_heads, torch.float32)
    slopes = (bias[:, 0, 1] - bias[:, 0, 0]) * module.inv_norm_factor

    def forward(
        self: Any,
        hidden_states: Any,
        alibi: Any,
        *_: Any,
        position_embeddings: Any = None,
        **__: Any,
    ) -> Any:
        split = self._split_heads(self.query_key_value(hidden_states))
        query, key, value = (x.transpose(1, 2) for x in split)
        if alibi is None:
            query, key = code.apply_rotary_pos_emb(query, key, *position_embeddings)
        own = None if alibi is None else slopes
        out = attend(query, key, value, layer=self.layer_idx, slopes=own)
        return self.dense(out.flatten(2)), None

    module.forward = MethodType(forward, module)


def _mpt(module: Any) -> None:
    code = sys.modules[type(module).__module__]
    bias = code.build_mpt_alibi_tensor(module.n_heads, 2)
    slopes = bias[:, 0, 1] - bias[:, 0, 0]

    def forward(self: Any, hidden_states: Any, position_bias: Any, *_: Any, **__: Any) -> Any:
        packed = self.Wqkv(hidden_states)
        if self.clip_qkv:
            packed = packed.clamp(min=-self.clip_qkv, max=self.clip_qkv)
        heads = (x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for x in packed.chunk(3, 2))
        own = None if position_bias is None else slopes
        out = attend(*heads, layer=self.layer_idx, scale=self.softmax_scale, slopes=own)
        return self.out_proj(out.flatten(2)), None

    module.forward = MethodType(forward, module)


def _llama4(module: Any) -> None:
    def forward(self: Any, hidden_states: Any) -> tuple[Any, Any]:
        x = hidden_states.reshape(-1, self.hidden_dim)
        scores, logits = self.router(x)  # 0 for all experts but the chosen ones
        weights, chosen = torch.topk(scores, self.top_k, dim=1)
        experts, of = chosen.reshape(-1), self.experts
        rows = (x[:, None] * weights[..., None]).reshape(-1, self.hidden_dim)
        gate, up = expert_linear(rows, experts, of.gate_up_proj, True).chunk(2, dim=-1)
        out = expert_linear(up * of.act_fn(gate), experts, of.down_proj, True)
        routed = out.reshape(-1, self.top_k, self.hidden_dim).sum(dim=1)
        return self.shared_expert(x) + routed, logits

    module.forward = MethodType(forward, module)


_EXPERTS: dict[str, Callable[[Any], None]] = {"Llama4TextMoe": _llama4}
_ADAPTERS: dict[str, Callable[[Any], None]] = {
    "BloomAttention": _bloom,
    "CodeGenAttention": _only_scores("layer_idx"),
    "FalconAttention": _falcon,
    "GPTJAttention": _only_scores("layer_idx"),
    "GPTNeoSelfAttention": _only_scores("layer_id"),
    "MptAttention": _mpt,
}
