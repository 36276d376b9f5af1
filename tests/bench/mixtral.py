"""Mixtral's shapes with random weights, as Mixtral was published: each expert's matrices apart.

Written file by file, as no machine is to hold a whole model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import MixtralConfig

from tests.unit.checkpoint.tiny import write_tokenizer

HEAD = 128  # values of an attention head


@dataclass(frozen=True)
class Shape:
    """A Mixtral of another size; its proportions are Mixtral-8x7B's."""

    name: str
    hidden: int
    inner: int  # of one expert
    layers: int
    experts: int
    routed: int  # experts of each token
    vocabulary: int

    @property
    def config(self) -> MixtralConfig:
        heads = self.hidden // HEAD
        return MixtralConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            intermediate_size=self.inner,
            num_hidden_layers=self.layers,
            num_attention_heads=heads,
            num_key_value_heads=heads // 4,
            num_local_experts=self.experts,
            num_experts_per_tok=self.routed,
            max_position_embeddings=4096,
            architectures=["MixtralForCausalLM"],
        )

    @property
    def largest(self) -> int:
        """Bytes as f32 of the largest tensor of the model: a layer's experts' gates and ups."""
        return self.experts * 2 * self.inner * self.hidden * 4


def write_checkpoint(shape: Shape, folder: Path) -> int:
    """bf16 safetensors, a file per layer, with tokenizer and configuration; all their bytes."""
    folder.mkdir(parents=True)
    shape.config.save_pretrained(folder)
    write_tokenizer(folder)
    generator = torch.Generator().manual_seed(0)
    files: dict[str, str] = {}
    size = 0
    for index, shapes in enumerate(_files(shape)):
        name = f"model-{index:05d}.safetensors"
        tensors = {each: _random(each, dims, generator) for each, dims in shapes.items()}
        save_file(tensors, folder / name, metadata={"format": "pt"})
        files |= dict.fromkeys(tensors, name)
        size += sum(tensor.nbytes for tensor in tensors.values())
    index_file = {"metadata": {"total_size": size}, "weight_map": files}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index_file))
    return size


def _files(shape: Shape) -> Iterator[Mapping[str, tuple[int, ...]]]:
    """Names and shapes of the tensors of each file."""
    table = (shape.vocabulary, shape.hidden)
    yield {"model.embed_tokens.weight": table, "lm_head.weight": table}
    for layer in range(shape.layers):
        yield _layer(shape, f"model.layers.{layer}")
    yield {"model.norm.weight": (shape.hidden,)}


def _layer(shape: Shape, name: str) -> dict[str, tuple[int, ...]]:
    hidden, inner, keys = shape.hidden, shape.inner, shape.hidden // 4
    widths = {"q": hidden, "k": keys, "v": keys, "o": hidden}
    tensors: dict[str, tuple[int, ...]] = {
        "input_layernorm.weight": (hidden,),
        "post_attention_layernorm.weight": (hidden,),
        "block_sparse_moe.gate.weight": (shape.experts, hidden),
    }
    tensors |= {f"self_attn.{each}_proj.weight": (n, hidden) for each, n in widths.items()}
    for expert in range(shape.experts):
        own = f"block_sparse_moe.experts.{expert}"
        tensors |= {f"{own}.{gate}.weight": (inner, hidden) for gate in ("w1", "w3")}
        tensors[f"{own}.w2.weight"] = (hidden, inner)
    return {f"{name}.{each}": dims for each, dims in tensors.items()}


def _random(name: str, dims: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Products of values near 1 stay near 1, and routers have their favourites."""
    if len(dims) == 1:
        return torch.ones(dims, dtype=torch.bfloat16)
    values = torch.empty(dims, dtype=torch.float32)
    scale = 1.0 if "embed" in name else dims[1] ** -0.5
    return values.normal_(0, scale, generator=generator).to(torch.bfloat16)
