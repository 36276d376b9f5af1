"""What has to fit together before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.checkpoint.directory import DirectoryCheckpoint
from compiler.checks import check_shape, check_tokenizer, chosen_context, stop_tokens
from compiler.errors import CheckpointError, UnsupportedModelError, UsageError
from compiler.notes import never_generated
from tests.unit.checkpoint import tiny


def test_context() -> None:
    assert [chosen_context(100, wanted, 40) for wanted in (None, 100)] == [40, 100]
    assert chosen_context(16, None, 40) == 16
    with pytest.raises(UsageError, match="--context 101: choose from 16 to 100"):
        chosen_context(100, 101, 40)
    with pytest.raises(UnsupportedModelError, match="has 1 positions, and 16 are the least"):
        chosen_context(1, None, 40)


def test_shape() -> None:
    check_shape("w", (2, 3), (2, 3))
    with pytest.raises(CheckpointError, match=r"w is stored with shape \(3, 2\)"):
        check_shape("w", (3, 2), (2, 3))


def test_tokenizer_and_the_ids_that_end_an_answer(tmp_path: Path) -> None:
    tiny.gpt2().save_pretrained(tmp_path)  # whose configuration keeps the end of GPT-2 itself
    tiny.write_tokenizer(tmp_path)
    checkpoint = DirectoryCheckpoint(tmp_path)
    check_tokenizer(checkpoint, 288)
    with pytest.raises(CheckpointError, match="the model only 100 tokens"):
        check_tokenizer(checkpoint, 100)
    assert 50256 in checkpoint.tokenizer.stop_tokens
    kept = stop_tokens(checkpoint, 288)
    assert kept == [id_ for id_ in checkpoint.tokenizer.stop_tokens if id_ != 50256]
    assert never_generated(checkpoint.tokenizer.stop_tokens, 288) == [
        "stop tokens 50256 are left out: the model has 288 tokens"
    ]
    assert never_generated(kept, 288) == []
