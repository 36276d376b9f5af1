"""Models built without weights: what is real in them and what is not."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
import transformers as hf

from compiler.errors import UnsupportedModelError
from compiler.summary import peak_bytes
from compiler.trace import attention
from compiler.trace.model import build_model, export, tied_names
from compiler.trace.states import Kept
from tests.unit.checkpoint import tiny

ROPE = {"rope_type": "linear", "factor": 4.0, "rope_theta": 1000.0}
CONFIGS = {
    "llama": tiny.small(hf.LlamaConfig, num_hidden_layers=2),
    "llama-scaled": tiny.small(hf.LlamaConfig, rope_parameters=ROPE),
    "gemma2": tiny.small(hf.Gemma2Config, num_hidden_layers=2, head_dim=8),
    "phi": tiny.small(hf.PhiConfig, num_key_value_heads=2),
    "gpt2": hf.GPT2Config(vocab_size=64, n_embd=16, n_layer=1, n_head=2, n_positions=32),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_buffers_are_those_of_a_real_model(name: str) -> None:
    """Gemma's embedding scale and rotary frequencies among them."""
    real = hf.AutoModelForCausalLM.from_config(CONFIGS[name])
    built = build_model(CONFIGS[name])
    expected, got = dict(real.named_buffers()), dict(built.named_buffers())
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        assert got[key].device.type == "cpu"
        torch.testing.assert_close(got[key], value, rtol=0, atol=0)


@pytest.mark.slow
def test_a_text_part_is_of_the_class_that_its_configuration_names() -> None:
    """transformers' own list has the whole model's configuration alone."""
    config = tiny.small(hf.Emu3TextConfig, num_hidden_layers=2, pad_token_id=0)
    config.architectures = ["Emu3ForCausalLM"]
    assert isinstance(build_model(config), hf.Emu3ForCausalLM)
    config.architectures = ["torch", "LlamaTokenizer"]
    with pytest.raises(UnsupportedModelError, match="'emu3_text_model' cannot be built"):
        build_model(config)


def test_without_what_a_tower_needs_the_text_part_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As for Gemma 3n where timm is missing."""

    def refuse(*_: Any, **__: Any) -> None:
        raise ImportError("TimmWrapperModel requires the PIL library")

    monkeypatch.setattr(hf.Gemma3ForConditionalGeneration, "__init__", refuse)
    text = tiny.small(hf.Gemma3TextConfig, pad_token_id=0, head_dim=8)
    assert isinstance(
        build_model(hf.Gemma3Config(text_config=text.to_dict())), hf.Gemma3ForCausalLM
    )
    monkeypatch.setattr(hf.Gemma3ForCausalLM, "__init__", refuse)
    with pytest.raises(UnsupportedModelError, match="requires the PIL library"):
        build_model(text)


def test_gemma_scales_its_embeddings() -> None:
    buffers = dict(build_model(CONFIGS["gemma2"]).named_buffers())
    assert float(buffers["model.embed_tokens.embed_scale"]) == 4.0  # sqrt(16)


@pytest.mark.parametrize("name", CONFIGS)
def test_parameters_have_the_names_and_shapes_of_a_real_model(name: str) -> None:
    real = hf.AutoModelForCausalLM.from_config(CONFIGS[name])
    built = build_model(CONFIGS[name])
    shapes = {key: value.shape for key, value in real.named_parameters()}
    assert {key: value.shape for key, value in built.named_parameters()} == shapes
    assert all(p.device.type == "cpu" and not p.requires_grad for p in built.parameters())


def test_parameters_take_no_memory() -> None:
    """4 GB of them are reserved, and none is touched."""
    config = tiny.small(
        hf.LlamaConfig, vocab_size=500_000, hidden_size=1024, tie_word_embeddings=False
    )
    before = peak_bytes()
    model = build_model(config)
    assert sum(p.nbytes for p in model.parameters()) > 4 * 10**9
    assert peak_bytes() - before < 10**8


def test_building_leaves_torch_as_it_was() -> None:
    register = torch.nn.Module.register_parameter
    build_model(CONFIGS["llama"])
    assert torch.nn.Module.register_parameter is register
    assert torch.nn.Linear(2, 2).weight.device.type == "cpu"


def test_configuration_without_a_causal_lm_is_refused() -> None:
    with pytest.raises(
        UnsupportedModelError, match="'vit' cannot be built by AutoModelForCausalLM"
    ):
        build_model(hf.ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2))


def test_configuration_is_left_as_it_was() -> None:
    config = tiny.llama().config
    build_model(config)
    assert config.use_cache
    assert config._attn_implementation != attention.IMPLEMENTATION


def test_tied_parameters_know_each_other() -> None:
    names = tied_names(build_model(tiny.llama().config))
    head, embedding = "lm_head.weight", "model.embed_tokens.weight"
    assert names[head] == [head, embedding]
    assert names[embedding] == [embedding, head]
    norm = "model.norm.weight"
    assert names[norm] == [norm]


def test_untied_parameters_stay_apart() -> None:
    names = tied_names(build_model(tiny.llama(tie_word_embeddings=False).config))
    assert names["lm_head.weight"] == ["lm_head.weight"]


@pytest.mark.slow
def test_export_is_two_inputs_to_logits() -> None:
    exported = export(build_model(CONFIGS["llama"]), 3, Kept("past_key_values"))
    assert list(exported.graph_signature.user_inputs) == ["ids", "positions"]
    nodes = [node for node in exported.graph.nodes if "webkiln.attention" in str(node.target)]
    assert len(nodes) == 2
    (output,) = exported.graph.output_node().args[0]
    assert output.meta["val"].shape == (1, 3, 64)


def test_attention_cannot_be_run() -> None:
    x = torch.zeros(1, 2, 3, 4)
    with pytest.raises(NotImplementedError, match="tracing only"):
        attention.attention(x, x, x, None, None, 0, 1.0, 0, 0.0, True)


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere memory that is not used is no matter"
)
def test_parameters_may_be_larger_than_memory() -> None:
    """A terabyte for each of six, of which nothing is touched."""
    config = tiny.small(
        hf.LlamaConfig, num_hidden_layers=2, hidden_size=64, intermediate_size=1 << 32
    )
    weight = build_model(config).get_parameter("model.layers.0.mlp.up_proj.weight")
    assert weight.nbytes == 1 << 40
    assert weight.device.type == "cpu"
