"""A tiny configuration of every architecture: sizes by the names that configurations give them."""

from __future__ import annotations

import inspect
from typing import Any

import transformers as hf
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

NAMES: tuple[str, ...] = tuple(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)

VOCABULARY = 260  # bytes, and the tokens the test tokenizer adds
_BY_NAME: dict[Any, tuple[str, ...]] = {
    VOCABULARY: ("vocab_size", "vocab_size_per_layer_input"),
    320: (
        "max_position_embeddings",
        "n_positions",
        "max_seq_len",
        "n_ctx",
        "max_sequence_length",
        "model_max_length",
    ),
    96: (
        "intermediate_size",
        "ffn_dim",
        "ffn_hidden_size",
        "dim_feedforward",
        "dim_ff",
        "dff",
        "d_inner",
        "encoder_ffn_dim",
        "decoder_ffn_dim",
        "mlp_dim",
    ),
    64: (
        "hidden_size",
        "d_model",
        "n_embd",
        "embed_dim",
        "dim",
        "embedding_size",
        "word_embed_proj_dim",
    ),
    32: (
        "moe_intermediate_size",
        "expert_ffn_hidden_size",
        "shared_expert_intermediate_size",
        "shared_intermediate_size",
        "expert_hidden_size",
        "q_lora_rank",
    ),
    16: (
        "hidden_size_per_layer_input",
        "sliding_window",
        "attention_window_size",
        "head_dim",
        "attention_head_dim",
        "kv_lora_rank",
        "qk_nope_head_dim",
        "v_head_dim",
        "linear_key_head_dim",
        "linear_value_head_dim",
        "linear_head_dim",
        "mamba_d_head",
        "mamba_head_dim",
        "router_hidden_size",
        "adapter_rank",
    ),
    8: (
        "qk_rope_head_dim",
        "state_size",
        "ssm_state_size",
        "mamba_d_state",
        "d_state",
        "mamba_n_heads",
        "mamba_num_heads",
    ),
    4: (
        "num_attention_heads",
        "n_head",
        "n_heads",
        "num_heads",
        "encoder_attention_heads",
        "decoder_attention_heads",
        "num_experts",
        "num_local_experts",
        "n_routed_experts",
        "moe_num_experts",
        "linear_num_value_heads",
        "linear_num_heads",
    ),
    2: (
        "num_hidden_layers",
        "n_layer",
        "n_layers",
        "num_layers",
        "encoder_layers",
        "decoder_layers",
        "num_key_value_heads",
        "num_experts_per_tok",
        "num_experts_per_token",
        "moe_top_k",
        "top_k_experts",
        "moe_topk",
        "experts_per_token",
        "moe_k",
        "n_group",
        "n_groups",
        "mamba_n_groups",
        "mamba_ngroups",
        "linear_num_key_heads",
    ),
    1: ("topk_group", "n_shared_experts", "first_k_dense_replace"),
    # Large enough initial weights that attention and activations are far from linear.
    0.15: ("initializer_range", "init_std"),
    0: ("pad_token_id",),
    257: ("bos_token_id",),
    258: ("eos_token_id",),
}
SIZES: dict[str, Any] = {name: size for size, names in _BY_NAME.items() for name in names}

# What an architecture needs besides, or instead.
ENCODER: dict[str, Any] = {"is_decoder": True}
SHARED: dict[str, Any] = {  # the last layers read the KV cache of those before
    "num_hidden_layers": 4,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "num_kv_shared_layers": 2,
}
_HASHED: dict[str, Any] = {  # words, two or three at a time, and attention's choice of keys
    "indexer_n_heads": 2,
    "indexer_kv_heads": 1,
    "indexer_head_dim": 16,
    "indexer_budget": 64,
    "indexer_compress_ratio": 4,
    "ngram_vocab_size_base": 512,
    "make_ngram_vocab_size_divisible_by": 8,
    "split_ngram_parts": 2,
}
STATES: dict[str, dict[str, Any]] = {  # a layer with a state beside one with attention
    "bamba": {"attn_layer_indices": [1]},
    "falcon_h1": {"mamba_d_ssm": 128},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "mamba2": {"num_heads": 8, "head_dim": 16},
    "nemotron_h": {
        "layers_block_type": ["mamba", "moe", "attention", "mlp"],
        "moe_shared_expert_intermediate_size": 32,
        "time_step_min": 1e-30,  # its prefill keeps to it, its decoding does not
    },
    "qwen3_5_moe_text": {"head_dim": 64},
    "qwen3_5_text": {"head_dim": 64},
    "recurrent_gemma": {"block_types": ["recurrent", "attention"], "lru_width": 64},
    "zamba": {"num_hidden_layers": 4, "layers_block_type": ["mamba", "hybrid"] * 2},
    "zamba2": {
        "num_hidden_layers": 4,
        "layers_block_type": ["mamba", "hybrid"] * 2,
        "time_step_min": 1e-30,
    },
    "rwkv": {"attention_hidden_size": 64, "context_length": 320, "rescale_every": 0},
    "xlstm": {"hidden_size": 128},  # its cache rounds heads to 64
    "zaya": {"num_experts_per_tok": 1},
}
SPECIAL: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        (
            "bert",
            "bert-generation",
            "big_bird",
            "camembert",
            "data2vec-text",
            "electra",
            "ernie",
            "megatron-bert",
            "rembert",
            "roberta",
            "roberta-prelayernorm",
            "roc_bert",
            "roformer",
            "xlm-roberta",
            "xlm-roberta-xl",
        ),
        ENCODER,
    ),
    "qwen4_exp": _HASHED,
    "qwen4_exp_text": _HASHED,
    "xmod": ENCODER | {"default_language": "en_XX"},
    **STATES,
    **dict.fromkeys(("gemma3n_text", "gemma4_text", "gemma4_unified_text"), SHARED),
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "clip_qkv": 1.0, "rope_theta": 10000.0},
        "ffn_config": {"ffn_hidden_size": 96, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "cohere_compass_text": {
        "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 10000.0}}
    },
    "reformer": {"is_decoder": True, "axial_pos_embds": False},
    "gemma3": {"image_token_id": 3},  # in the vocabulary, as published
    "gptj": {"rotary_dim": 8},
    "codegen": {"rotary_dim": 8},
    "falcon": {"new_decoder_architecture": True, "num_kv_heads": 2},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 8},
}


def tiny(name: str) -> hf.PretrainedConfig:
    """A few layers of a few heads. Raises whatever the architecture's configuration does."""
    return _tiny(CONFIG_MAPPING[name], SPECIAL.get(name, {}))


def _tiny(kind: type[hf.PretrainedConfig], special: dict[str, Any]) -> hf.PretrainedConfig:
    known = _parameters(kind)
    aliases = getattr(kind, "attribute_map", None) or {}
    settings = {
        size: value
        for size, value in SIZES.items()
        if size in known and aliases.get(size) not in known
    }
    if "kv_lora_rank" in settings:  # latent attention makes keys for every head
        settings["num_key_value_heads"] = SIZES["num_attention_heads"]
        if "head_dim" in settings:  # the part that is rotated
            settings["head_dim"] = SIZES["qk_rope_head_dim"]
    return kind(**settings | _layers(kind) | _nested(kind) | special)


def _layers(kind: type[hf.PretrainedConfig]) -> dict[str, Any]:
    """A layer of each kind that the architecture mixes."""
    published = getattr(_published(kind), "layer_types", None)
    kinds = list(dict.fromkeys(published or []))
    if len(kinds) < 2 or "layer_types" not in _parameters(kind):
        return {}
    return {"layer_types": kinds, "num_hidden_layers": len(kinds)}


def _nested(kind: type[hf.PretrainedConfig]) -> dict[str, Any]:
    """Those of text, vision and audio parts."""
    published = _published(kind)
    parts = {key: getattr(published, key, None) for key in kind.sub_configs}
    found = {key: type(p) for key, p in parts.items() if isinstance(p, hf.PretrainedConfig)}
    settings = {key: SPECIAL.get(part.model_type, {}) for key, part in found.items()}
    return {key: _tiny(part, settings[key]).to_dict() for key, part in found.items()}


def _published(kind: type[hf.PretrainedConfig]) -> hf.PretrainedConfig | None:
    """The configuration with the sizes of the model it was written for, if it has such defaults."""
    try:
        return kind()
    except Exception:  # some cannot be made without arguments
        return None


def _parameters(kind: type[hf.PretrainedConfig]) -> set[str]:
    """What a configuration can be given: fields of dataclasses, arguments of older ones."""
    found: set[str] = set()
    for base in kind.__mro__:
        found |= set(getattr(base, "__annotations__", {}))
        if "__init__" in vars(base):
            found |= set(inspect.signature(base.__init__).parameters)
    return found
