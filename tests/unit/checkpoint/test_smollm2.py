"""The real GGUF file, against the gguf library and against what the model says."""

from __future__ import annotations

from collections.abc import Iterator

import gguf
import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from compiler.checkpoint import Checkpoint, open_checkpoint
from compiler.quantize import Q4_MIN, Q8, dequantize
from tests.support.smollm2 import smollm2_gguf

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkpoint() -> Iterator[Checkpoint]:
    with open_checkpoint(str(smollm2_gguf())) as opened:
        yield opened


def test_names_are_those_of_the_model(checkpoint: Checkpoint) -> None:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(checkpoint.config)
    assert set(checkpoint.names()) == set(model.state_dict()) - {"lm_head.weight"}
    assert checkpoint.config.tie_word_embeddings
    assert checkpoint.config.rope_parameters["rope_theta"] == 100000
    card = checkpoint.description.card
    assert (card.license.id, card.languages) == ("apache-2.0", ["en"])
    assert (card.authors, card.datasets) == (["HuggingFaceTB"], [])


def test_values_are_the_gguf_librarys(checkpoint: Checkpoint) -> None:
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(smollm2_gguf()).tensors}
    pairs = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.layers.29.mlp.down_proj.weight": "blk.29.ffn_down.weight",
        "model.layers.3.self_attn.v_proj.weight": "blk.3.attn_v.weight",
        "model.norm.weight": "output_norm.weight",
    }
    for ours, theirs in pairs.items():
        expected = gguf.dequantize(stored[theirs].data, stored[theirs].tensor_type)
        np.testing.assert_array_equal(checkpoint.load(ours), expected, err_msg=ours)


def test_codes_are_carried_over(checkpoint: Checkpoint) -> None:
    schemes = []
    for name in checkpoint.names():
        coded = checkpoint.quantized(name)
        if coded is None:
            assert checkpoint.info(name).stored == "F32"
            continue
        schemes.append(coded.scheme)
        if ".0." in name or "embed" in name:
            np.testing.assert_array_equal(dequantize(coded), checkpoint.load(name), err_msg=name)
    assert (schemes.count(Q4_MIN), schemes.count(Q8), len(schemes)) == (210, 1, 211)


TEXT = (
    "The Moon is Earth's only natural satellite. It orbits at an average distance of 384,400 "
    "kilometres, about thirty times the diameter of Earth. The Moon always shows the same side to "
    "us, because its rotation period has been locked to its orbital period by the pull of Earth's "
    "gravity. The gravity of the Moon is the main cause of the tides on Earth."
)


@pytest.fixture(scope="module")
def model(checkpoint: Checkpoint) -> torch.nn.Module:
    """The transformers model with every weight that the checkpoint gives."""
    with torch.device("meta"):
        made = AutoModelForCausalLM.from_config(checkpoint.config)
    weights = {name: torch.from_numpy(checkpoint.load(name)) for name in checkpoint.names()}
    made.load_state_dict(weights, assign=True, strict=False)
    made.tie_weights()
    made.model.rotary_emb = type(made.model.rotary_emb)(config=checkpoint.config)
    return made.eval()


@torch.no_grad()
def test_the_model_knows_the_capital_of_france(
    checkpoint: Checkpoint, model: torch.nn.Module
) -> None:
    tokenizer = Tokenizer.from_buffer(checkpoint.tokenizer.model_json)
    ids = torch.tensor([tokenizer.encode("The capital of France is").ids])
    for _ in range(6):
        ids = torch.cat([ids, model(ids).logits[:, -1:].argmax(-1)], dim=1)
    assert " Paris" in tokenizer.decode(ids[0].tolist())


@torch.no_grad()
def test_rows_of_q_and_k_are_in_transformers_order(
    checkpoint: Checkpoint, model: torch.nn.Module
) -> None:
    """A short answer survives the file's own row order, which only blurs positions; a text's loss
    does not: it was 2.7 in the right order and 3.8 in the file's."""
    tokenizer = Tokenizer.from_buffer(checkpoint.tokenizer.model_json)
    ids = torch.tensor([tokenizer.encode(TEXT).ids])
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(smollm2_gguf()).tensors}
    as_stored = {}
    for layer in range(checkpoint.config.num_hidden_layers):
        for which in "qk":
            tensor = stored[f"blk.{layer}.attn_{which}.weight"]
            values = torch.from_numpy(gguf.dequantize(tensor.data, tensor.tensor_type))
            as_stored[f"model.layers.{layer}.self_attn.{which}_proj.weight"] = values
    blurred = torch.func.functional_call(model, as_stored, (ids,), tie_weights=True)
    losses = [
        torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:]).item()
        for logits in (model(ids).logits, blurred.logits)
    ]
    assert losses[0] < 3
    assert losses[0] < losses[1] - 0.5
