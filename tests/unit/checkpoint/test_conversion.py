"""Checkpoints by the model's names: renamed, stacked and fused as transformers does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf

from compiler.checkpoint.conversion import Converted
from compiler.checkpoint.directory import DirectoryCheckpoint
from compiler.trace.model import build_model
from tests.unit.checkpoint.tiny import mixtral

CONFIG = mixtral()
EXPERTS = CONFIG.num_local_experts
GATE_UP = "model.layers.0.mlp.experts.gate_up_proj"


@pytest.fixture(scope="module")
def model() -> hf.PreTrainedModel:
    torch.manual_seed(0)
    return hf.MixtralForCausalLM(CONFIG)


@pytest.fixture(scope="module")
def converted(model: hf.PreTrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    folder: Path = tmp_path_factory.mktemp("mixtral")
    model.save_pretrained(folder)
    stored = DirectoryCheckpoint(folder)
    assert GATE_UP not in stored.names()  # files keep an expert's matrices apart
    return Converted(stored, build_model(stored.config))


def test_names_and_values_are_the_models(model: hf.PreTrainedModel, converted: Converted) -> None:
    state = model.state_dict()
    assert set(converted.names()) == set(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(converted.load(name), tensor.numpy(), name)
        assert converted.info(name).shape == tuple(tensor.shape)
        assert converted.info(name).stored == "F32"


def test_pieces_are_the_rows_of_stacked_experts(converted: Converted) -> None:
    pieces = converted.pieces(GATE_UP)
    assert len(pieces) == 2 * EXPERTS
    rows = np.concatenate([converted.load(piece) for piece in pieces])
    np.testing.assert_array_equal(rows, converted.load(GATE_UP).reshape(-1, 16))


def test_what_is_stored_whole_is_one_piece(converted: Converted) -> None:
    name = "model.layers.0.self_attn.q_proj.weight"
    assert converted.pieces(name) == [name]
