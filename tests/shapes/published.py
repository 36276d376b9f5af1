"""Configurations as their models were published with: what transformers' defaults do not say.

By the name of the model, in the order of families. `model_type` is transformers' name of the
configuration; `from_config` fills in the rest.
"""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, PretrainedConfig


def _rope(theta: float, **scaling: Any) -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": theta, **scaling}


def _sizes(
    kind: str, vocabulary: int, hidden: int, inner: int, layers: int, heads: int, **others: Any
) -> dict[str, Any]:
    """What most decoders have, by the names most configurations use."""
    return {
        "model_type": kind,
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        **others,
    }


def _kv(heads: int, depth: int | None = None) -> dict[str, int]:
    """Heads of keys and values, and values of a head where it is not hidden size / heads."""
    return {"num_key_value_heads": heads} | ({} if depth is None else {"head_dim": depth})


_LLAMA_3 = {
    **_kv(8),
    "max_position_embeddings": 131072,
    "rope_parameters": _rope(
        5e5,
        rope_type="llama3",
        factor=8.0,
        low_freq_factor=1.0,
        high_freq_factor=4.0,
        original_max_position_embeddings=8192,
    ),
}
_YARN = {"rope_type": "yarn", "beta_fast": 32.0, "beta_slow": 1.0, "factor": 40.0}
_YARN |= {"original_max_position_embeddings": 4096}
_MLA = {
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "max_position_embeddings": 163840,
}

LLAMA = {
    "llama-7b": _sizes("llama", 32000, 4096, 11008, 32, 32, max_position_embeddings=2048),
    "llama-2-7b": _sizes("llama", 32000, 4096, 11008, 32, 32, max_position_embeddings=4096),
    "llama-3.2-1b": _sizes(
        "llama", 128256, 2048, 8192, 16, 32, tie_word_embeddings=True, **(_LLAMA_3 | _kv(8, 64))
    ),
    "llama-3.1-8b": _sizes("llama", 128256, 4096, 14336, 32, 32, **_LLAMA_3),
    "llama-4-scout-17b-16e": _sizes(
        "llama4_text",
        202048,
        5120,
        8192,
        48,
        40,
        intermediate_size_mlp=16384,
        num_local_experts=16,
        num_experts_per_tok=1,
        interleave_moe_layer_step=1,
        use_qk_norm=True,
        max_position_embeddings=1048576,
        **_kv(8, 128),
    ),
    "smollm2-135m": _sizes(
        "llama", 49152, 576, 1536, 30, 9, tie_word_embeddings=True, max_position_embeddings=8192,
        **_kv(3),
    ),
    "smollm2-1.7b": _sizes(
        "llama", 49152, 2048, 8192, 24, 32, tie_word_embeddings=True, max_position_embeddings=8192
    ),
    "smollm3-3b": _sizes(
        "smollm3", 128256, 2048, 11008, 36, 16, tie_word_embeddings=True,
        max_position_embeddings=65536, **_kv(4),
    ),
}  # fmt: skip
MISTRAL = {
    "mistral-7b-v0.3": _sizes(
        "mistral", 32768, 4096, 14336, 32, 32, max_position_embeddings=32768, sliding_window=None,
        **_kv(8),
    ),
    "ministral-8b": _sizes(
        "ministral", 131072, 4096, 12288, 36, 32, max_position_embeddings=32768,
        sliding_window=32768, **_kv(8, 128),
    ),
    "ministral-3-3b": _sizes(
        "ministral3", 131072, 3072, 9216, 26, 32, tie_word_embeddings=True,
        max_position_embeddings=262144, **_kv(8, 128),
    ),
    "mixtral-8x7b": _sizes(
        "mixtral", 32000, 4096, 14336, 32, 32, num_local_experts=8, num_experts_per_tok=2,
        max_position_embeddings=32768, **_kv(8),
    ),
}  # fmt: skip
EXPERTS = {
    "qwen1.5-moe-a2.7b": _sizes(
        "qwen2_moe", 151936, 2048, 5632, 24, 16, moe_intermediate_size=1408,
        shared_expert_intermediate_size=5632, num_experts=60, num_experts_per_tok=4,
        max_position_embeddings=8192,
    ),
    "qwen3-30b-a3b": _sizes(
        "qwen3_moe", 151936, 2048, 6144, 48, 32, moe_intermediate_size=768, num_experts=128,
        num_experts_per_tok=8, norm_topk_prob=True, max_position_embeddings=40960, **_kv(4, 128),
    ),
    "olmoe-1b-7b": _sizes(
        "olmoe", 50304, 2048, 1024, 16, 16, num_experts=64, num_experts_per_tok=8,
        max_position_embeddings=4096,
    ),
    "gpt-oss-20b": _sizes(
        "gpt_oss", 201088, 2880, 2880, 24, 64, num_local_experts=32, num_experts_per_tok=4,
        sliding_window=128, max_position_embeddings=131072, **_kv(8, 64),
    ),
    "deepseek-v2-lite": _sizes(
        "deepseek_v2", 102400, 2048, 10944, 27, 16, moe_intermediate_size=1408, n_routed_experts=64,
        n_shared_experts=2, num_experts_per_tok=6, first_k_dense_replace=1, q_lora_rank=None,
        topk_method="greedy", n_group=1, topk_group=1, rope_parameters=_rope(1e4, **_YARN), **_MLA,
    ),
    "deepseek-v3": _sizes(
        "deepseek_v3", 129280, 7168, 18432, 61, 128, moe_intermediate_size=2048,
        n_routed_experts=256, n_shared_experts=1, num_experts_per_tok=8, first_k_dense_replace=3,
        q_lora_rank=1536, n_group=8, topk_group=4, rope_parameters=_rope(1e4, **_YARN), **_MLA,
    ),
    "glm-4.5-air": _sizes(
        "glm4_moe", 151552, 4096, 10944, 46, 96, moe_intermediate_size=1408, n_routed_experts=128,
        n_shared_experts=1, num_experts_per_tok=8, first_k_dense_replace=1,
        max_position_embeddings=131072, **_kv(8, 128),
    ),
}  # fmt: skip
PHI = {
    "phi-1": _sizes("phi", 51200, 2048, 8192, 24, 32, partial_rotary_factor=0.5),
    "phi-2": _sizes("phi", 51200, 2560, 10240, 32, 32, partial_rotary_factor=0.4),
    "phi-3-mini-4k": _sizes(
        "phi3", 32064, 3072, 8192, 32, 32, max_position_embeddings=4096, sliding_window=2047
    ),
    "phi-4": _sizes("phi3", 100352, 5120, 17920, 40, 40, pad_token_id=100349,
        max_position_embeddings=16384, **_kv(10)),
}  # fmt: skip
LEGACY = {
    "falcon-7b": {"model_type": "falcon", "vocab_size": 65024, "hidden_size": 4544,
        "num_hidden_layers": 32, "num_attention_heads": 71, "multi_query": True,
        "parallel_attn": True, "bias": False},
    "mpt-7b": {"model_type": "mpt", "vocab_size": 50432, "d_model": 4096, "n_heads": 32,
        "n_layers": 32, "max_seq_len": 2048},
    "bloom-560m": {"model_type": "bloom", "vocab_size": 250880, "hidden_size": 1024, "n_layer": 24,
        "n_head": 16},
    "bloom-7b1": {"model_type": "bloom", "vocab_size": 250880, "hidden_size": 4096, "n_layer": 30,
        "n_head": 32},
    "gpt2": {"model_type": "gpt2"},
    "gpt-j-6b": {"model_type": "gptj"},
    "gpt-neox-20b": {"model_type": "gpt_neox", "vocab_size": 50432, "hidden_size": 6144,
        "intermediate_size": 24576, "num_hidden_layers": 44, "num_attention_heads": 64},
    "opt-1.3b": {"model_type": "opt", "hidden_size": 2048, "ffn_dim": 8192, "num_hidden_layers": 24,
        "num_attention_heads": 32, "word_embed_proj_dim": 2048},
}  # fmt: skip
QWEN = {
    "qwen2-0.5b": _sizes("qwen2", 151936, 896, 4864, 24, 14, tie_word_embeddings=True,
        max_position_embeddings=131072, **_kv(2)),
    "qwen2.5-7b": _sizes("qwen2", 152064, 3584, 18944, 28, 28, max_position_embeddings=131072,
        **_kv(4)),
    "qwen3-8b": _sizes("qwen3", 151936, 4096, 12288, 36, 32, max_position_embeddings=40960,
        **_kv(8, 128)),
    "qwen3.5-0.8b": _sizes("qwen3_5_text", 248320, 1024, 3584, 24, 8, tie_word_embeddings=True,
        linear_num_key_heads=16, linear_num_value_heads=16, max_position_embeddings=262144,
        **_kv(2, 256)),
}  # fmt: skip
GEMMA = {
    "gemma-2b": _sizes("gemma", 256000, 2048, 16384, 18, 8, **_kv(1, 256)),
    "gemma-2-2b": _sizes("gemma2", 256000, 2304, 9216, 26, 8, **_kv(4, 256)),
    "gemma-3-1b": _sizes("gemma3_text", 262144, 1152, 6912, 26, 4, sliding_window=512,
        max_position_embeddings=32768, **_kv(1, 256)),
    "gemma-3n-e2b": _sizes("gemma3n_text", 262400, 2048, 8192, 30, 8, num_kv_shared_layers=10,
        activation_sparsity_pattern=[0.95] * 10 + [0.0] * 20, **_kv(2, 256)),
    "gemma-4": {"model_type": "gemma4_text"},
}  # fmt: skip
OTHERS = {
    "lfm2-1.2b": {"model_type": "lfm2", "vocab_size": 65536, "hidden_size": 2048,
        "intermediate_size": 12288, "num_hidden_layers": 16, "num_attention_heads": 32,
        "max_position_embeddings": 128000, "full_attn_idxs": [2, 5, 8, 10, 12, 14], **_kv(8)},
    "olmo-7b": _sizes("olmo", 50304, 4096, 11008, 32, 32, max_position_embeddings=2048),
    "olmo-2-1b": _sizes("olmo2", 100352, 2048, 8192, 16, 16, max_position_embeddings=4096),
    "olmo-3-7b": _sizes("olmo3", 100278, 4096, 11008, 32, 32, sliding_window=4096,
        max_position_embeddings=65536),
    "stablelm-2-1.6b": _sizes("stablelm", 100352, 2048, 5632, 24, 32, partial_rotary_factor=0.25,
        use_qkv_bias=True, max_position_embeddings=4096),
    "starcoder2-3b": _sizes("starcoder2", 49152, 3072, 12288, 30, 24, sliding_window=4096,
        max_position_embeddings=16384, **_kv(2)),
    "granite-3.1-2b": _sizes("granite", 49155, 2048, 8192, 40, 32, tie_word_embeddings=True,
        embedding_multiplier=12.0, attention_multiplier=0.015625, residual_multiplier=0.22,
        logits_scaling=8.0, max_position_embeddings=131072, **_kv(8)),
    "command-r-35b": _sizes("cohere", 256000, 8192, 22528, 40, 64, logit_scale=0.0625,
        max_position_embeddings=131072),
    "command-r7b": _sizes("cohere2", 256000, 4096, 14336, 32, 32, logit_scale=0.25,
        sliding_window=4096, max_position_embeddings=132096, **_kv(8)),
    "minitron-4b": _sizes("nemotron", 256000, 3072, 9216, 32, 24, partial_rotary_factor=0.5,
        max_position_embeddings=4096, **_kv(8, 128)),
    "exaone-4-1.2b": _sizes("exaone4", 102400, 2048, 4096, 30, 32, tie_word_embeddings=True,
        sliding_window=None, layer_types=["full_attention"] * 30, max_position_embeddings=65536,
        **_kv(8, 64)),
    "glm-4-9b": _sizes("glm", 151552, 4096, 13696, 40, 32, max_position_embeddings=131072,
        **_kv(2, 128)),
    "glm-4-9b-0414": _sizes("glm4", 151552, 4096, 13696, 40, 32, max_position_embeddings=32768,
        **_kv(2, 128)),
}  # fmt: skip
PUBLISHED: dict[str, dict[str, Any]] = (
    LLAMA | MISTRAL | EXPERTS | PHI | LEGACY | QWEN | GEMMA | OTHERS
)


def config_of(name: str) -> PretrainedConfig:
    """The configuration of a published model."""
    config: PretrainedConfig = AutoConfig.for_model(**PUBLISHED[name])
    return config
