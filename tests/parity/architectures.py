"""Tiny random models of many architectures. Adding one is adding a line to CONFIGS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as hf

from tests.unit.checkpoint.tiny import save_random

# Large enough initial weights that attention and activations are far from linear.
SIZES: dict[str, Any] = {
    "vocab_size": 260,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "initializer_range": 0.15,
    "bos_token_id": 257,
    "eos_token_id": 258,
}
SHAPE = SIZES | {"num_key_value_heads": 2, "max_position_embeddings": 320, "pad_token_id": None}
GPT2: dict[str, Any] = {
    "vocab_size": 260,
    "n_embd": 64,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 320,
    "initializer_range": 0.15,
    "bos_token_id": 257,
    "eos_token_id": 258,
}

CONFIGS: dict[str, hf.PretrainedConfig] = {
    "llama": hf.LlamaConfig(**SHAPE),
    "qwen2": hf.Qwen2Config(**SHAPE),
    "qwen3": hf.Qwen3Config(**SHAPE, head_dim=32),
    "mistral": hf.MistralConfig(**SHAPE, sliding_window=48),
    "gemma2": hf.Gemma2Config(**SHAPE, head_dim=16, sliding_window=48, query_pre_attn_scalar=20),
    "phi": hf.PhiConfig(**{**SHAPE, "num_key_value_heads": 4}),
    "olmo2": hf.Olmo2Config(**SHAPE),
    "gpt2": hf.GPT2Config(**GPT2),
}


def save(name: str, directory: Path) -> Path:
    """Writes the model `name` with its tokenizer as transformers would."""
    return save_random(CONFIGS[name], directory)
