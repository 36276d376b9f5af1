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

from compiler.checkpoint.conversion import Converted
from compiler.checkpoint.directory import DirectoryCheckpoint
from compiler.checkpoint.lora import Adapted
from compiler.errors import CheckpointError, UnsupportedModelError
from compiler.trace.model import build_model
from tests.unit.checkpoint.tiny import gpt2, llama

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
