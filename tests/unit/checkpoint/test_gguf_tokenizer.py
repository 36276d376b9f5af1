"""Tokenizers rebuilt from GGUF metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from compiler.checkpoint import TokenizerFiles, open_checkpoint
from compiler.errors import CheckpointError, UnsupportedModelError
from tests.support.smollm2 import smollm2_gguf
from tests.unit.checkpoint.gguf_writer import metadata, write_gguf

CASES = Path(__file__).parents[2] / "data" / "smollm2_token_ids.json"


@pytest.fixture(scope="module")
def smollm2() -> TokenizerFiles:
    return open_checkpoint(str(smollm2_gguf())).tokenizer


def tiny(path: Path, **changes: Any) -> TokenizerFiles:
    """The tokenizer of a tiny file with `tokenizer.ggml.*` metadata changed."""
    prefixed = {f"tokenizer.ggml.{key}": value for key, value in changes.items()}
    return open_checkpoint(str(write_gguf(path / "a.gguf", changes=prefixed))).tokenizer


def encode(files: TokenizerFiles, text: str) -> list[str]:
    return Tokenizer.from_buffer(files.model_json).encode(text).tokens


def test_smollm2_gives_llama_cpps_ids(smollm2: TokenizerFiles) -> None:
    tokenizer = Tokenizer.from_buffer(smollm2.model_json)
    cases = json.loads(CASES.read_text("utf-8"))["cases"]
    assert len(cases) == 1000
    wrong = [case["text"] for case in cases if tokenizer.encode(case["text"]).ids != case["ids"]]
    assert wrong == []


def test_smollm2_in_transformers(smollm2: TokenizerFiles, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(smollm2.model_json)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(smollm2.config))
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    text = "Route 66, naïve 日本 🙂"
    ids = tokenizer(text)["input_ids"]
    assert ids == Tokenizer.from_buffer(smollm2.model_json).encode(text).ids
    assert tokenizer.decode(ids) == text
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert tokenizer.decode([1, 2], skip_special_tokens=True) == ""
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
    assert chat.endswith("<|im_start|>user\nHi<|im_end|>\n")


def test_smollm2_stops_and_special_tokens(smollm2: TokenizerFiles) -> None:
    assert smollm2.stop_tokens == [0, 2]  # <|endoftext|> and <|im_end|>
    assert smollm2.special_tokens == {
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "unk_token": "<|endoftext|>",
        "pad_token": "<|im_end|>",
    }
    assert "add_generation_prompt" in smollm2.chat_template


def test_control_tokens_are_found_whole(tmp_path: Path) -> None:
    files = tiny(tmp_path)
    assert encode(files, "hehe<|end|>x") == ["he", "he", "<|end|>", "x"]
    assert encode(files, "[unused0]") == list(
        "[unused0]"
    )  # a plain token, but no merge leads to it
    assert files.stop_tokens == [258, 259]
    assert files.chat_template == "{{ messages }}"
    assert files.special_tokens == {"bos_token": "<s>", "eos_token": "<|end|>"}


def test_bos_is_added_when_the_file_says_so(tmp_path: Path) -> None:
    assert encode(tiny(tmp_path, add_bos_token=True), "he") == ["<s>", "he"]
    assert encode(tiny(tmp_path, add_bos_token=False), "he") == ["he"]
    assert encode(tiny(tmp_path, pre="llama-bpe"), "he") == ["<s>", "he"]  # llama.cpp's default


@pytest.mark.parametrize(
    ("pre", "pieces"),
    [
        ("smollm", ["1", "2", "3", "4"]),  # every digit alone
        ("qwen2", ["1", "2", "3", "4"]),
        ("llama-bpe", ["123", "4"]),  # by threes
        ("default", ["123", "4"]),
        ("gpt-2", ["1234"]),  # whole
    ],
)
def test_digits_are_cut_as_the_pre_tokenizer_says(
    tmp_path: Path, pre: str, pieces: list[str]
) -> None:
    tokenizer = Tokenizer.from_buffer(tiny(tmp_path, pre=pre).model_json)
    assert tokenizer.pre_tokenizer is not None
    found = tokenizer.pre_tokenizer.pre_tokenize_str("1234")
    assert [piece for piece, _ in found] == pieces


def test_sentencepiece_vocabularies(tmp_path: Path) -> None:
    words = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    words += ["▁", "h", "e", "y", "he", "▁he", "▁hey", "hey"]
    words += [f"<unused{i}>" for i in range(288 - len(words))]
    kinds = [2, 3, 3] + [6] * 256 + [1] * (288 - 259)  # unknown, control, byte, normal
    scores = [0.0] * 259 + [-float(i) for i in range(288 - 259)]
    files = tiny(
        tmp_path,
        model="llama",
        pre=None,
        tokens=words,
        token_type=kinds,
        scores=scores,
        merges=None,
        bos_token_id=1,
        eos_token_id=2,
    )
    assert encode(files, "hey é") == ["<s>", "▁hey", "▁", "<0xC3>", "<0xA9>"]
    tokenizer = Tokenizer.from_buffer(files.model_json)
    assert tokenizer.decode(tokenizer.encode("hey é").ids) == "hey é"
    assert files.stop_tokens == [2]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"pre": "no-such"}, UnsupportedModelError, "names the pre-tokenizer 'no-such'"),
        ({"model": "no-such"}, UnsupportedModelError, "of the kind 'no-such'"),
    ],
)
def test_unknown_kinds_are_refused(
    tmp_path: Path, changes: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        tiny(tmp_path, **changes)


def test_a_file_without_a_vocabulary(tmp_path: Path) -> None:
    dropped = {key: None for key in metadata() if key.startswith("tokenizer.")}
    path = write_gguf(tmp_path / "a.gguf", changes=dropped | {"llama.vocab_size": 288})
    checkpoint = open_checkpoint(str(path))
    with pytest.raises(CheckpointError, match="holds no vocabulary"):
        _ = checkpoint.tokenizer
