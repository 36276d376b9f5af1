"""Tiny random checkpoints, written the way real ones are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    PretrainedConfig,
)

Config = TypeVar("Config", bound=PretrainedConfig)
ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())


def llama(**changes: Any) -> LlamaForCausalLM:
    """Two layers, 4 heads on 2, hidden 64, vocabulary 288; tied unless told otherwise."""
    settings = {
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 288,
        "max_position_embeddings": 128,
        "tie_word_embeddings": True,
        "bos_token_id": 257,
        "eos_token_id": 258,
    }
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**{**settings, **changes}))


def gpt2() -> GPT2LMHeadModel:
    """One layer of GPT-2, whose matrices are stored input first."""
    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(n_layer=1, n_embd=32, n_head=2, vocab_size=288, n_positions=64, bos_token_id=257)
    )


def small(kind: type[Config], **changes: Any) -> Config:
    """A configuration to trace: one layer, 2 heads on 1, hidden 16, vocabulary 64."""
    settings = {
        "vocab_size": 64,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "pad_token_id": None,
    }
    return kind(**{**settings, **changes})


def mixtral() -> MixtralConfig:
    """One layer of 4 experts, of which each token takes 2."""
    return small(MixtralConfig, num_local_experts=4, num_experts_per_tok=2)


def save_random(
    config: PretrainedConfig, directory: Path, kind: Any = AutoModelForCausalLM
) -> Path:
    """Writes a random model with its tokenizer, as transformers would."""
    torch.manual_seed(0)
    try:
        model = kind.from_config(config, dtype=torch.float32)
    except ImportError:  # of a tower for images or sounds
        return _without_towers(config, save_random(config.get_text_config(), directory, kind))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # norms of all ones and biases of zero would hide mistakes
                parameter.add_(torch.randn_like(parameter) * 0.3)
    model.save_pretrained(directory)
    write_tokenizer(directory)
    return directory


def _without_towers(config: PretrainedConfig, directory: Path) -> Path:
    """Makes the text part saved in `directory` that of a whole model of `config`."""
    file = directory / "model.safetensors"
    stored = load_file(file)
    save_file({n.replace("model.", "model.language_model.", 1): t for n, t in stored.items()}, file)
    config.save_pretrained(directory)
    return directory


def vocabulary() -> tuple[list[str], list[str]]:
    """(tokens, merges): the byte alphabet, one merge, and the special tokens 257 to 259."""
    return [*ALPHABET, "he", "<s>", "<|end|>", "<|im_end|>"], ["h e"]


def write_tokenizer(directory: Path) -> Tokenizer:
    """tokenizer.json and tokenizer_config.json for `vocabulary()`."""
    tokens, merges = vocabulary()
    pairs = [tuple(merge.split(" ")) for merge in merges]
    tokenizer = Tokenizer(BPE({token: i for i, token in enumerate(tokens)}, pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in tokens[257:]])
    tokenizer.save(str(directory / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": {"content": "<s>", "special": True},
        "eos_token": "<|end|>",
        "chat_template": "{{ messages }}",
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    return tokenizer
