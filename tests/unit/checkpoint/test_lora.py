"""Adapters that PEFT made, against what PEFT merges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
import transformers as hf
from safetensors.torch import save_file

from compiler.checkpoint.conversion import Converted
from compiler.checkpoint.directory import DirectoryCheckpoint
from compiler.checkpoint.lora import Adapted
from compiler.errors import CheckpointError, UnsupportedModelError
from compiler.graph.program import Source, Stacked
from compiler.graph.quantize import Coding
from compiler.quantize import dequantize
from compiler.trace.model import build_model
from tests.unit.checkpoint.tiny import gpt2, llama, mixtral, save_random

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # PEFT's

ADAPTERS: dict[str, dict[str, Any]] = {
    "plain": {"target_modules": ["q_proj", "down_proj"]},
    "stabilised": {"target_modules": ["v_proj"], "use_rslora": True},
    "patterns": {
        "target_modules": ["q_proj", "up_proj"],
        "rank_pattern": {"up_proj": 2},
        "alpha_pattern": {"layers.1.self_attn.q_proj": 5},
    },
    "embedding": {"target_modules": ["embed_tokens", "o_proj"]},
    "saved": {"target_modules": ["q_proj"], "modules_to_save": ["norm"]},
}


def adapted(
    model: hf.PreTrainedModel, folder: Path, **settings: Any
) -> tuple[Adapted, dict[str, torch.Tensor]]:
    """The adapter over its model, and PEFT's own merged weights."""
    model.save_pretrained(folder / "base")
    config = peft.LoraConfig(r=4, lora_alpha=12, init_lora_weights=False, **settings)
    wrapped = peft.get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "modules_to_save" in name:
                parameter.add_(1)
    wrapped.save_pretrained(folder / "adapter")
    merged = wrapped.merge_and_unload().state_dict()
    stored = DirectoryCheckpoint(folder / "base")
    return Adapted(Converted(stored, build_model(stored.config)), folder / "adapter"), merged


@pytest.mark.parametrize("name", ADAPTERS)
def test_merged_as_peft_does(name: str, tmp_path: Path) -> None:
    checkpoint, merged = adapted(llama(tie_word_embeddings=False), tmp_path, **ADAPTERS[name])
    assert set(checkpoint.names()) == set(merged)
    changed = 0
    for weight, expected in merged.items():
        got = checkpoint.load(weight)
        np.testing.assert_allclose(got, expected.numpy(), rtol=1e-5, atol=1e-6, err_msg=weight)
        changed += int((got != checkpoint._checkpoint.load(weight)).any())
    assert changed >= 2 if name != "stabilised" else changed


def test_transposed_weights(tmp_path: Path) -> None:
    """GPT-2 keeps its projections as (inputs, outputs)."""
    settings = {"target_modules": ["c_attn"], "fan_in_fan_out": True}
    checkpoint, merged = adapted(gpt2(), tmp_path, **settings)
    name = "transformer.h.0.attn.c_attn.weight"
    np.testing.assert_allclose(checkpoint.load(name), merged[name].numpy(), rtol=1e-5, atol=1e-6)


def test_what_is_no_plain_adapter_is_refused(tmp_path: Path) -> None:
    model = llama()
    stored = tmp_path / "base"
    model.save_pretrained(stored)
    peft.get_peft_model(
        model, peft.LoraConfig(r=2, target_modules=["q_proj"], use_dora=True)
    ).save_pretrained(tmp_path / "dora")
    base = Converted(DirectoryCheckpoint(stored), build_model(model.config))
    with pytest.raises(UnsupportedModelError, match="DoRA"):
        Adapted(base, tmp_path / "dora")
    with pytest.raises(CheckpointError, match=r"no adapter_config\.json"):
        Adapted(base, stored)
    file = tmp_path / "dora" / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "peft_type": "IA3"}))
    with pytest.raises(UnsupportedModelError, match="kind IA3"):
        Adapted(base, tmp_path / "dora")


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    config = peft.LoraConfig(r=2, target_modules=["c_attn"], fan_in_fan_out=True)
    peft.get_peft_model(gpt2(), config).save_pretrained(tmp_path / "other")
    llama().save_pretrained(tmp_path / "base")
    stored = DirectoryCheckpoint(tmp_path / "base")
    with pytest.raises(CheckpointError, match="belongs to another model"):
        Adapted(Converted(stored, build_model(stored.config)), tmp_path / "other")


WEIGHT = "model.layers.0.self_attn.q_proj"  # (64, 64)


def handmade(base: Path, folder: Path, parts: Any, **settings: Any) -> Adapted:
    """An adapter of these tensors, as no PEFT would write it."""
    folder.mkdir()
    config = {"peft_type": "LORA", "lora_alpha": 8, **settings}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    state = {f"base_model.model.{name}": tensor for name, tensor in parts.items()}
    save_file(state, folder / "adapter_model.safetensors")
    stored = DirectoryCheckpoint(base)
    return Adapted(Converted(stored, build_model(stored.config)), folder)


@pytest.mark.parametrize(
    ("a", "b", "settings", "message"),
    [
        ((4, 64), (64, 5), {}, r"with \(4, 64\) and \(64, 5\), expected \(r, K\) and \(N, r\)"),
        ((4, 65), (64, 4), {}, r"as \(64, 65\), but it is \(64, 64\)"),
        ((1, 200_000), (200_000, 1), {}, r"as \(200000, 200000\), but it is \(64, 64\)"),
        ((), (), {}, "of one rank"),
        ((0, 64), (64, 0), {}, "of one rank"),
        ((4, 64), (64, 4), {"lora_alpha": "x"}, "lora_alpha is 'x', expected a number"),
        ((4, 64), (64, 4), {"lora_alpha": None}, "names no lora_alpha"),
        ((4, 64), (64, 4), {"alpha_pattern": ["q"]}, "alpha_pattern is .*expected an object"),
        ((4, 64), (64, 4), {"alpha_pattern": {"(": 3}}, r"'\(', which is no regular expression"),
        ((4, 64), (64, 4), {"alpha_pattern": {"q_proj": "a"}}, "q_proj is 'a', expected a number"),
    ],
)
def test_damaged_adapters_are_refused_when_they_are_opened(
    tmp_path: Path, a: Any, b: Any, settings: dict[str, Any], message: str
) -> None:
    llama().save_pretrained(tmp_path / "base")
    parts = {f"{WEIGHT}.lora_A.weight": torch.zeros(a), f"{WEIGHT}.lora_B.weight": torch.zeros(b)}
    with pytest.raises(CheckpointError, match=message):
        handmade(tmp_path / "base", tmp_path / "adapter", parts, **settings)


def test_replaced_experts_are_not_read_in_the_pieces_of_before(tmp_path: Path) -> None:
    base = save_random(mixtral(), tmp_path / "base")
    name = "model.layers.0.mlp.experts.down_proj"
    parts = {name: torch.full((4, 16, 24), 7.0)}
    checkpoint = handmade(base, tmp_path / "adapter", parts)
    coding = Coding(checkpoint, {}, "f32", pieces=checkpoint.pieces)
    recipe = Stacked(Source(name))
    matrix = coding.matrix(recipe, coding.scheme(recipe, 24))
    assert (dequantize(matrix) == 7).all()
    other = name.replace("down", "gate_up")
    assert len(checkpoint.pieces(other)) == 8
