"""`--format mlc`: read back by the test's own reader, and by the compiler."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import GemmaConfig, LlamaConfig, MixtralConfig, Qwen2Config

from compiler.checkpoint.open import open_checkpoint
from compiler.errors import BundleError, CompileError, UnsupportedModelError, UsageError
from compiler.mlc import shards
from compiler.mlc.write import code, write_mlc
from compiler.progress import SilentProgress
from tests.unit.checkpoint import mlc_layout
from tests.unit.checkpoint.test_mlc import SHAPE, fused
from tests.unit.checkpoint.tiny import save_random

CONFIGS = {
    "llama": LlamaConfig(**SHAPE, tie_word_embeddings=False, rope_theta=5000.0),
    "qwen2": Qwen2Config(**SHAPE, tie_word_embeddings=True),
    "gemma": GemmaConfig(**SHAPE),
}


def write(source: Path, output: Path, quantization: str | None = None, **given: Any) -> Path:
    options = {"context": None, "revision": None, "progress": SilentProgress(), **given}
    return write_mlc(str(source), output=output, quantization=quantization, **options).folder


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("quantization", ["q4", "f16", "f32"])
def test_both_readers_agree(tmp_path: Path, name: str, quantization: str) -> None:
    source = save_random(CONFIGS[name], tmp_path / "source")
    folder = write(source, tmp_path / "out", quantization)
    stored = mlc_layout.read(folder)
    with open_checkpoint(str(source)) as before, open_checkpoint(str(folder)) as after:
        values = {n: before.load(n) for n in before.names() if n != "lm_head.weight"}
        if not before.config.tie_word_embeddings:
            values["lm_head.weight"] = before.load("lm_head.weight")
        assert sorted(after.names()) == sorted(values)
        attention = "c_attn" if name == "qwen2" else "qkv_proj"
        plain = {n: after.load(n) for n in values}
        norms = {n: v + (name == "gemma" and v.ndim == 1) for n, v in plain.items()}
        again = fused(norms, attention)
        assert sorted(again) == sorted(stored)
        for key, value in stored.items():
            read = again[key]
            np.testing.assert_array_equal(value[..., : read.shape[-1]], read, err_msg=key)
        for key, value in values.items():
            assert_near(plain[key], value, quantization, key)
        assert after.config.rope_parameters == before.config.rope_parameters
        assert after.tokenizer.stop_tokens == before.tokenizer.stop_tokens
        assert after.tokenizer.model_json == before.tokenizer.model_json


def assert_near(got: Any, wanted: Any, quantization: str, name: str) -> None:
    """4 bits: half a step of the largest of 32; f16: half a unit of the last of 11 bits."""
    if quantization == "f32":
        return np.testing.assert_allclose(got, wanted, atol=2e-7, err_msg=name)  # norms + 1
    if quantization == "f16" or wanted.ndim == 1:
        return np.testing.assert_allclose(got, wanted, rtol=2**-11, atol=2**-11, err_msg=name)
    rows, columns = wanted.shape
    padded = np.pad(wanted, ((0, 0), (0, -columns % 32))).reshape(rows, -1, 32)
    largest = np.abs(padded).max(axis=-1).repeat(32, axis=1)[:, :columns]
    assert (np.abs(got - wanted) <= largest / 14 * 1.01).all(), name


def test_written_again_nothing_changes(tmp_path: Path) -> None:
    source = save_random(CONFIGS["llama"], tmp_path / "source")
    once = mlc_layout.read(write(source, tmp_path / "once"))
    twice = mlc_layout.read(write(tmp_path / "once", tmp_path / "twice"))
    assert once.keys() == twice.keys()
    for name, value in once.items():
        np.testing.assert_array_equal(twice[name], value, err_msg=name)


def test_codes_by_hand() -> None:
    values = np.zeros((1, 33), np.float32)
    values[0, :8] = [-7, -3, 0, 1, 2, 3.4, 3.6, 7]
    values[0, 32] = 0.5
    words, scales = code(values, "w")
    assert scales.tolist() == [[1.0, float(np.float16(0.5 / 7))]]
    assert words.shape == (1, 8)
    assert words[0, 0] == 0xEBA98740
    assert words[0, 1] == 0x77777777
    assert words[0, 4] == 0x7777777E


def test_configuration(tmp_path: Path) -> None:
    source = save_random(CONFIGS["llama"], tmp_path / "source")
    folder = write(source, tmp_path / "out", context=64)
    config = json.loads((folder / "mlc-chat-config.json").read_text())
    assert (config["model_type"], config["quantization"]) == ("llama", "q4f16_1")
    assert (config["context_window_size"], config["vocab_size"]) == (64, 288)
    own = config["model_config"]
    assert (own["hidden_size"], own["num_key_value_heads"], own["head_dim"]) == (64, 2, 16)
    assert own["position_embedding_base"] == 5000.0
    assert all((folder / name).is_file() for name in config["tokenizer_files"])
    lists = [(folder / f"{name}-cache.json").read_text() for name in ("tensor", "ndarray")]
    assert lists[0] == lists[1]
    metadata = json.loads(lists[0])["metadata"]
    stored = sum(file.stat().st_size for file in folder.glob("params_shard_*.bin"))
    assert metadata["ParamBytes"] == stored


def test_shards_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 5000)
    source = save_random(CONFIGS["llama"], tmp_path / "source")
    folder = write(source, tmp_path / "out")
    cache = json.loads((folder / "tensor-cache.json").read_text())
    assert len(cache["records"]) > 3
    for shard in cache["records"]:
        assert shard["nbytes"] <= 5000 or len(shard["records"]) == 1
    assert len(mlc_layout.read(folder)) > 5


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    source = save_random(CONFIGS["llama"], tmp_path / "source")
    with pytest.raises(UsageError, match="--quantization q8: --format mlc has q4, f16, f32"):
        write(source, tmp_path / "out", "q8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something else"):
        write(source, tmp_path / "other")
    assert (tmp_path / "other" / "notes.txt").exists()
    experts = MixtralConfig(**SHAPE, num_local_experts=2)
    with pytest.raises(UnsupportedModelError, match=r"mlp\..*leave out --format mlc"):
        write(save_random(experts, tmp_path / "experts"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "given", "message"),
    [
        ({"num_key_value_heads": 1}, {}, r"k_proj\.weight is stored with shape"),
        ({"vocab_size": 100}, {}, "has ids up to .*, the model only 100 tokens"),
        ({}, {"context": 3}, "--context 3: choose from 16 to"),
        ({}, {"context": 10**9}, "--context 1000000000: choose from 16 to"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    tmp_path: Path, settings: dict[str, Any], given: dict[str, Any], message: str
) -> None:
    source = save_random(CONFIGS["llama"], tmp_path / "source")
    file = source / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
    with pytest.raises(CompileError, match=message):
        write(source, tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    source = save_random(CONFIGS["llama"], tmp_path / "source")
    (tmp_path / "file").write_text("x")
    with pytest.raises(BundleError, match=r"cannot write .*choose another folder with -o"):
        write(source, tmp_path / "file" / "out")
