"""Which checkpoints are embedders, and what their folders say of texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import transformers as hf

from compiler.checkpoint.directory import DirectoryCheckpoint
from compiler.checkpoint.sentence import SentenceFiles, around, sentence_files
from compiler.embedding import Embedder
from compiler.errors import CheckpointError, UnsupportedModelError
from tests.parity.encoders import ENCODERS, SHAPE, Encoder, save
from tests.unit.checkpoint import tiny


def folder(path: Path, encoder: Encoder = ENCODERS["bert"]) -> Path:
    return save(encoder, path / "model")


def read(source: Path) -> SentenceFiles | None:
    return sentence_files(DirectoryCheckpoint(source))


def write(file: Path, value: object) -> None:
    file.write_text(json.dumps(value))


def test_settings_of_a_folder(tmp_path: Path) -> None:
    source = folder(tmp_path)
    prompts = {"query": "query: ", "document": ""}
    general = {"prompts": prompts, "default_prompt_name": "query"}
    write(source / "config_sentence_transformers.json", general)
    write(source / "sentence_bert_config.json", {"max_seq_length": 77, "do_lower_case": True})
    assert read(source) == SentenceFiles(("mean",), True, 77, True, prompts, "query")


@pytest.mark.parametrize(
    ("pooling", "modes"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, ("cls",)),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}, ("cls", "mean")),
        ({"pooling_mode": "lasttoken"}, ("last",)),
        ({"pooling_mode": ["mean", "max"]}, ("mean", "max")),
    ],
)
def test_pooling(tmp_path: Path, pooling: dict[str, Any], modes: tuple[str, ...]) -> None:
    source = folder(tmp_path)
    write(source / "1_Pooling" / "config.json", pooling)
    found = read(source)
    assert found is not None
    assert found.modes == modes


@pytest.mark.parametrize(
    ("pooling", "message"),
    [
        ({}, "asks to pool with nothing"),
        ({"pooling_mode_median_tokens": True}, "asks to pool with pooling_mode_median_tokens"),
        ({"pooling_mode": "median"}, "asks to pool with .?median"),
        ({"pooling_mode": "mean", "include_prompt": False}, "leaves prompts out of pooling"),
    ],
)
def test_other_pooling_is_refused(tmp_path: Path, pooling: dict[str, Any], message: str) -> None:
    source = folder(tmp_path)
    write(source / "1_Pooling" / "config.json", pooling)
    with pytest.raises(UnsupportedModelError, match=message):
        read(source)


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (["Transformer", "Pooling", "Dense"], "asks for Dense after the model"),
        (["Transformer"], "has no Pooling"),
    ],
)
def test_other_modules_are_refused(tmp_path: Path, kinds: list[str], message: str) -> None:
    source = folder(tmp_path)
    write(source / "modules.json", [{"type": f"sentence_transformers.models.{k}"} for k in kinds])
    with pytest.raises(UnsupportedModelError, match=message):
        read(source)


def test_an_encoder_without_such_files_is_an_embedder(tmp_path: Path) -> None:
    source = folder(tmp_path)
    (source / "modules.json").unlink()
    assert read(source) == SentenceFiles(("mean",), False)


def test_what_generates_text_is_none(tmp_path: Path) -> None:
    decoder = hf.BertConfig(**SHAPE, is_decoder=True)
    llama = tiny.llama().config
    for name, config in {"decoder": decoder, "llama": llama}.items():
        assert read(tiny.save_random(config, tmp_path / name)) is None


def test_what_the_tokenizer_puts_around_texts(tmp_path: Path) -> None:
    source = folder(tmp_path)
    found = around(DirectoryCheckpoint(source))
    assert (found.before, found.after) == ([257], [258])
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "truncation_side": "left"}
    write(source / "tokenizer_config.json", settings)
    with pytest.raises(UnsupportedModelError, match="cuts texts at their beginning"):
        around(DirectoryCheckpoint(source))


@pytest.mark.parametrize(
    ("file", "value", "message"),
    [
        ("sentence_bert_config.json", {"max_seq_length": -5}, "max_seq_length is -5"),
        ("sentence_bert_config.json", {"max_seq_length": 1.5}, r"max_seq_length is 1\.5"),
        ("sentence_bert_config.json", {"max_seq_length": "x"}, "max_seq_length is 'x'"),
        ("config_sentence_transformers.json", {"prompts": ["a"]}, r"prompts is \['a'\]"),
        ("config_sentence_transformers.json", {"prompts": {"q": 5}}, "q is 5, expected a text"),
        (
            "config_sentence_transformers.json",
            {"prompts": {"q": "Q:"}, "default_prompt_name": "zzz"},
            r"default_prompt_name is 'zzz', which is none of its prompts \(q\)",
        ),
        ("1_Pooling/config.json", {"pooling_mode": 5}, "asks to pool with 5"),
        ("1_Pooling/config.json", {"pooling_mode": ["mean", ["x"]]}, r"pool with \['x'\]"),
    ],
)
def test_settings_that_are_none(tmp_path: Path, file: str, value: Any, message: str) -> None:
    source = folder(tmp_path)
    write(source / file, value)
    with pytest.raises((CheckpointError, UnsupportedModelError), match=message):
        read(source)


@pytest.mark.parametrize("limit", ["x", 0, float("inf")])
def test_limits_of_a_tokenizer(tmp_path: Path, limit: Any) -> None:
    source = folder(tmp_path)
    known = json.loads((source / "tokenizer_config.json").read_text())
    write(source / "tokenizer_config.json", known | {"model_max_length": limit})
    with pytest.raises(CheckpointError, match=f"model_max_length is {limit!r}|has no tokenizer"):
        around(DirectoryCheckpoint(source))


def test_a_limit_that_the_special_tokens_alone_reach(tmp_path: Path) -> None:
    source = folder(tmp_path)
    write(source / "sentence_bert_config.json", {"max_seq_length": 2})
    with pytest.raises(CheckpointError, match="texts of 2 tokens, of which 2 are"):
        Embedder.of(DirectoryCheckpoint(source), None)
