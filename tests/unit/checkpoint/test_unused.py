"""Tensors that say that a configuration is another model's, and those that may be left over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from compiler.checkpoint.conversion import Converted
from compiler.checkpoint.directory import DirectoryCheckpoint
from compiler.errors import CheckpointError
from compiler.trace.model import build_model
from tests.unit.checkpoint.tiny import llama

NAME = "model.layers.0.self_attn.q_proj.weight"
State = dict[str, torch.Tensor]


def converted(folder: Path, change: Callable[[State], object], **settings: object) -> Converted:
    """A Llama of two layers with other tensors, opened with these settings."""
    model = llama()
    model.save_pretrained(folder)
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")
    model.config.update(settings)
    model.config.save_pretrained(folder)
    stored = DirectoryCheckpoint(folder)
    return Converted(stored, build_model(stored.config))


@pytest.mark.parametrize("kind", [torch.int8, torch.uint8, torch.float8_e4m3fn, torch.float8_e5m2])
def test_codes_that_nothing_reads_are_refused(tmp_path: Path, kind: torch.dtype) -> None:
    def code(state: State) -> None:
        state[NAME] = state[NAME].to(kind)
        state[NAME + "_scale"] = torch.ones(1)

    with pytest.raises(CheckpointError, match=rf"{NAME} of .* is stored as [UIF]8.*no quantiz"):
        converted(tmp_path, code)


def test_layers_beyond_the_configuration_are_refused(tmp_path: Path) -> None:
    message = r"holds model\.layers\.1, but its configuration has 1 such layers"
    with pytest.raises(CheckpointError, match=message):
        converted(tmp_path, lambda state: None, num_hidden_layers=1)


def test_rotary_tables_hide_no_layer(tmp_path: Path) -> None:
    tables = {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": torch.ones(8) for i in (0, 1)}
    with pytest.raises(CheckpointError, match=r"holds model\.layers\.1"):
        converted(tmp_path, lambda state: state.update(tables), num_hidden_layers=1)


def test_what_may_be_left_over(tmp_path: Path) -> None:
    """Rotary tables, a tied head, another tower's deeper layers, integers, and a layer that
    predicts further tokens."""
    extra: dict[str, torch.Tensor] = {
        "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8),
        "lm_head.weight": torch.ones(288, 64),
        "visual.layers.0.mlp.up_proj.weight": torch.ones(2),
        "visual.layers.7.mlp.up_proj.weight": torch.ones(2),
        "visual.position_ids": torch.arange(4),
        "model.layers.2.mlp.up_proj.weight": torch.ones(96, 64),
        "model.layers.2.eh_proj.weight": torch.ones(64, 128),
    }
    checkpoint = converted(tmp_path, lambda state: state.update(extra))
    assert set(extra) <= set(checkpoint.names())
