"""Tiny random encoders, saved as sentence-transformers would. Adding one is adding a line."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import transformers as hf
from tokenizers import Tokenizer, processors

from tests.parity.architectures import SIZES
from tests.unit.checkpoint.tiny import save_random

SHAPE = SIZES | {"max_position_embeddings": 160, "pad_token_id": 259}
DISTILBERT: dict[str, Any] = {
    "vocab_size": 260,
    "dim": 64,
    "hidden_dim": 96,
    "n_layers": 2,
    "n_heads": 4,
    "max_position_embeddings": 160,
    "initializer_range": 0.15,
    "pad_token_id": 259,
}


@dataclass(frozen=True)
class Encoder:
    """A configuration, and how the tokens' vectors become one."""

    config: hf.PretrainedConfig
    pooling: str = "mean_tokens"
    normalised: bool = True
    settings: dict[str, Any] = field(default_factory=dict)  # of sentence_bert_config.json


ENCODERS = {
    "albert": Encoder(  # one layer for all, narrow embeddings
        hf.AlbertConfig(**SHAPE, embedding_size=32), "mean_sqrt_len_tokens"
    ),
    "bert": Encoder(hf.BertConfig(**SHAPE), settings={"max_seq_length": 100}),
    "distilbert": Encoder(hf.DistilBertConfig(**DISTILBERT), "cls_token", normalised=False),
    "electra": Encoder(hf.ElectraConfig(**SHAPE, embedding_size=32), "max_tokens"),
    "modernbert": Encoder(  # rotary, windows to both sides, gated
        hf.ModernBertConfig(
            **SHAPE,
            local_attention=16,
            layer_types=["full_attention", "sliding_attention"],
            cls_token_id=257,
            sep_token_id=258,
            initializer_cutoff_factor=2.0,
        )
    ),
    "mpnet": Encoder(hf.MPNetConfig(**SHAPE)),  # its own attention, with relative positions
    "nomic_bert": Encoder(hf.NomicBertConfig(**SHAPE)),
    "qwen3": Encoder(  # causal
        hf.Qwen3Config(**SHAPE, head_dim=16, num_key_value_heads=2), "lasttoken"
    ),
    "roberta": Encoder(hf.RobertaConfig(**SHAPE | {"pad_token_id": 1}), "weightedmean_tokens"),
}


def save(encoder: Encoder, directory: Path) -> Path:
    """Writes a random encoder with its tokenizer, which puts <s> and <|end|> around texts."""
    save_random(encoder.config, directory, hf.AutoModel)
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A <|end|>", special_tokens=[("<s>", 257), ("<|end|>", 258)]
    )
    tokenizer.save(str(directory / "tokenizer.json"))
    _write(directory / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})
    modules = ["Transformer", "Pooling", *(["Normalize"] if encoder.normalised else [])]
    _write(
        directory / "modules.json",
        [
            {"idx": i, "path": f"{i}_{name}" if i else "", "type": f"sentence_transformers.{name}"}
            for i, name in enumerate(modules)
        ],
    )
    (directory / "1_Pooling").mkdir()
    _write(directory / "1_Pooling" / "config.json", {f"pooling_mode_{encoder.pooling}": True})
    _write(directory / "sentence_bert_config.json", encoder.settings)
    return directory


def _write(file: Path, value: object) -> None:
    file.write_text(json.dumps(value))
