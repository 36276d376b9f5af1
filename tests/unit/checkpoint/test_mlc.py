"""MLC's weight directories, written by the test from the layout's description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, GemmaConfig, LlamaConfig, Qwen2Config

from compiler.checkpoint.mlc import MlcCheckpoint
from compiler.checkpoint.open import open_checkpoint
from compiler.errors import CheckpointError, UnsupportedModelError
from compiler.graph.program import Rows, Source
from compiler.graph.quantize import KEEP, Coding
from compiler.quantize import F16, F32, Q4, Q4_MIN, dequantize
from tests.unit.checkpoint import mlc_layout
from tests.unit.checkpoint.mlc_layout import Array
from tests.unit.checkpoint.tiny import write_tokenizer

SHAPE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 80,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 288,
}
KINDS = ("q4f16_1", "q4f32_1", "q3f16_1", "q0f16", "q0f32")
ATTENTION, MLP = "model.layers.0.self_attn", "model.layers.0.mlp"
QKV = tuple(f"{ATTENTION}.{x}_proj.weight" for x in "qkv")


def parameters(config: Any) -> dict[str, Array]:
    """Random values of a model, by transformers' names."""
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    values = {}
    for name, parameter in model.named_parameters():
        noise = torch.randn_like(parameter) * 0.1
        values[name] = (parameter.detach() + noise).half().float().numpy()
    return values


def fused(values: dict[str, Array], attention: str = "qkv_proj") -> dict[str, Array]:
    """The same under MLC's names."""
    out = dict(values)
    for kind in ("weight", "bias"):
        for whole, parent, parts in (
            (attention, ATTENTION, ("q_proj", "k_proj", "v_proj")),
            ("gate_up_proj", MLP, ("gate_proj", "up_proj")),
        ):
            names = [f"{parent}.{part}.{kind}" for part in parts]
            if all(name in out for name in names):
                out[f"{parent}.{whole}.{kind}"] = np.concatenate([out.pop(n) for n in names])
    return out


def save(folder: Path, kind: str = "q4f16_1", inner: int = 80, **changes: Any) -> dict[str, Array]:
    """A Llama; its values as transformers names them, before they are coded."""
    settings = {**SHAPE, "intermediate_size": inner, "tie_word_embeddings": False}
    values = parameters(LlamaConfig(**settings, rope_theta=5000.0, max_position_embeddings=96))
    own = {"context_window_size": 96, "position_embedding_base": 5000.0, "prefill_chunk_size": 96}
    config = {"model_type": "llama", "model_config": {**settings, **own}, "eos_token_id": [258, 9]}
    mlc_layout.write(folder, kind, {**config, **changes}, fused(values))
    write_tokenizer(folder)
    return values


def expected(values: Array, kind: str) -> Array:
    """What a weight of these values is once stored."""
    if values.ndim == 2 and kind[:2] in mlc_layout.BITS:
        return mlc_layout.coded(values, kind)[2]
    if "f16" in kind:
        return values
    upper = values.view(np.uint32) >> np.uint32(16) << np.uint32(16)
    return upper.view(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_values(tmp_path: Path, kind: str) -> None:
    values = save(tmp_path, kind)
    with open_checkpoint(str(tmp_path)) as checkpoint:
        assert isinstance(checkpoint, MlcCheckpoint)
        assert sorted(checkpoint.names()) == sorted(values)
        for name, value in values.items():
            assert checkpoint.info(name).shape == value.shape
            got = checkpoint.load(name)
            np.testing.assert_array_equal(got, expected(value, kind), err_msg=name)


@pytest.mark.parametrize(
    ("kind", "scheme"),
    [("q4f16_1", Q4), ("q4f32_1", Q4), ("q3f16_1", Q4_MIN), ("q0f16", F16), ("q0f32", F32)],
)
def test_codes_are_carried_over(tmp_path: Path, kind: str, scheme: Any) -> None:
    values = save(tmp_path, kind)
    coding = Coding(open_checkpoint(str(tmp_path)), {}, KEEP)
    recipe = Rows(tuple(Source(name) for name in QKV))
    assert coding.same([Source(name) for name in QKV])
    assert coding.scheme(recipe, 64) == scheme
    matrix = coding.matrix(recipe, scheme)
    wanted = np.concatenate([expected(values[name], kind) for name in QKV])
    if kind in ("q4f16_1", "q0f16", "q0f32"):
        np.testing.assert_array_equal(dequantize(matrix), wanted)
        assert all(loss.relative == 0 for loss in coding.losses.values())
        return
    # f32 scales are rounded to f16, three bits in groups of 40 are coded anew.
    error = np.linalg.norm(dequantize(matrix) - wanted) / np.linalg.norm(wanted)
    assert coding.losses[recipe].relative == pytest.approx(float(error), rel=1e-4)
    assert 0 < error < (5e-4 if kind == "q4f32_1" else 0.1)


def test_configuration_and_tokenizer(tmp_path: Path) -> None:
    template = {"stop_token_ids": [7]}
    save(tmp_path, conv_template=template)
    checkpoint = open_checkpoint(str(tmp_path))
    config = checkpoint.config
    assert (config.model_type, config.max_position_embeddings) == ("llama", 96)
    assert config.rope_parameters["rope_theta"] == 5000.0
    assert not config.tie_word_embeddings
    assert {7, 9, 258} <= set(checkpoint.tokenizer.stop_tokens)


def test_other_names_for_what_is_fused(tmp_path: Path) -> None:
    """Qwen 2's attention has biases and another name at MLC; its head is tied."""
    values = parameters(Qwen2Config(**SHAPE, tie_word_embeddings=True))
    config = {"model_type": "qwen2", "model_config": {**SHAPE, "tie_word_embeddings": True}}
    mlc_layout.write(tmp_path, "q0f16", config, fused(values, "c_attn"))
    write_tokenizer(tmp_path)
    checkpoint = open_checkpoint(str(tmp_path))
    assert sorted(checkpoint.names()) == sorted(values)
    for name, value in values.items():
        np.testing.assert_array_equal(checkpoint.load(name), value, err_msg=name)


def test_norms_of_one_and_a_weight(tmp_path: Path) -> None:
    """MLC stores the sum."""
    values = parameters(GemmaConfig(**SHAPE))
    stored = {n: v + np.float32(1) if v.ndim == 1 else v for n, v in fused(values).items()}
    mlc_layout.write(tmp_path, "q0f32", {"model_type": "gemma", "model_config": SHAPE}, stored)
    write_tokenizer(tmp_path)
    checkpoint = open_checkpoint(str(tmp_path))
    for name in ("model.norm.weight", "model.layers.0.input_layernorm.weight"):
        wanted = expected(values[name] + np.float32(1), "q0f32") - np.float32(1)
        np.testing.assert_array_equal(checkpoint.load(name), wanted)


def edit(folder: Path, file: str, change: Any) -> None:
    data = json.loads((folder / file).read_text())
    change(data)
    (folder / file).write_text(json.dumps(data))


def first(data: dict[str, Any], **changes: Any) -> None:
    data["records"][0]["records"][0] |= changes


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("ndarray-cache.json", lambda d: d.pop("records"), "is no list of MLC's weights"),
        ("ndarray-cache.json", lambda d: first(d, byteOffset=-4), "at .* bytes from -4"),
        ("ndarray-cache.json", lambda d: first(d, byteOffset=2**40), "bytes from 1099511627776"),
        ("ndarray-cache.json", lambda d: first(d, nbytes=4), "at 4 bytes from"),
        ("ndarray-cache.json", lambda d: first(d, shape=[2**40, 2**40]), "get it again"),
        ("ndarray-cache.json", lambda d: first(d, shape="x"), "is no list of MLC's weights"),
        ("ndarray-cache.json", lambda d: first(d, name="else"), "lack|no parameter"),
        ("ndarray-cache.json", lambda d: d["records"][0].update(dataPath="../x"), "is missing"),
        ("ndarray-cache.json", lambda d: d["records"][0].update(nbytes=1), "says 1 as raw-shard"),
        ("ndarray-cache.json", lambda d: d["records"].pop(), "lack|without|no parameter"),
        ("mlc-chat-config.json", lambda d: d.pop("model_config"), "has no model_config"),
        (
            "mlc-chat-config.json",
            lambda d: d["model_config"].update(hidden_size=128),
            "belong to different models|no parameter",
        ),
    ],
)
def test_damage_is_one_clear_error(tmp_path: Path, file: str, change: Any, message: str) -> None:
    save(tmp_path)
    edit(tmp_path, file, change)
    with pytest.raises((CheckpointError, UnsupportedModelError), match=message):
        open_checkpoint(str(tmp_path))


def test_shards_are_checked_when_they_are_read(tmp_path: Path) -> None:
    values = save(tmp_path)
    for file in tmp_path.glob("params_shard_*.bin"):
        data = bytearray(file.read_bytes())
        data[5] ^= 1
        file.write_bytes(data)
    checkpoint = open_checkpoint(str(tmp_path))
    with pytest.raises(CheckpointError, match="its MD5 differs"):
        checkpoint.load(next(iter(values)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantization": "q4f16_0"}, "quantized with q4f16_0; of MLC's quantizations q4f16_1"),
        ({"model_type": "no_such"}, "of type 'no_such', which transformers cannot build"),
        ({"model_type": "t5"}, "of type 't5', which transformers cannot build"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    save(tmp_path, **changes)
    with pytest.raises(UnsupportedModelError, match=message):
        open_checkpoint(str(tmp_path))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden_size", -64),
        ("hidden_size", "x"),
        ("head_dim", 0),
        ("num_attention_heads", 0),
        ("hidden_act", "no_such"),
        ("rope_scaling", {"rope_type": "no_such"}),
        ("pad_token_id", 10**9),
        ("vocab_size", 10**12),
        ("context_window_size", 0),
        ("kwargs", [1]),
        ("kwargs", "ab"),
    ],
)
def test_configurations_that_make_no_model(tmp_path: Path, key: str, value: Any) -> None:
    save(tmp_path)
    edit(tmp_path, "mlc-chat-config.json", lambda d: d["model_config"].update({key: value}))
    with pytest.raises((CheckpointError, UnsupportedModelError), match=r"cannot build|says .* is"):
        open_checkpoint(str(tmp_path))


def test_stop_tokens_that_are_none(tmp_path: Path) -> None:
    save(tmp_path, conv_template={"stop_token_ids": [5, 1.5]})
    with pytest.raises(CheckpointError, match=r"stop_token_ids is 1\.5"):
        _ = open_checkpoint(str(tmp_path)).tokenizer
    save(tmp_path, conv_template={"stop_token_ids": 5})
    assert open_checkpoint(str(tmp_path)).tokenizer.stop_tokens == [5, 9, 258, 259]
