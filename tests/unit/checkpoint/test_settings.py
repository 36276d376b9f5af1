"""Settings of JSON files, and configurations that no model has."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig

from compiler.checkpoint.config import check_config, guarded
from compiler.checkpoint.open import open_checkpoint
from compiler.checkpoint.settings import setting
from compiler.errors import CheckpointError, UnsupportedModelError
from tests.unit.checkpoint.tiny import llama

FILE = Path("some.json")


@pytest.mark.parametrize(
    ("value", "kind", "least", "expected"),
    [
        (3, int, 3, None),
        (3, float, 3, None),
        (0.5, float, 0.5, None),
        ("a", str, 0, None),
        ({"a": 1}, dict, 0, None),
        (None, int, 0, None),
        (2, int, 3, "is 2, expected a whole number of at least 3"),
        (True, int, 0, "is True, expected a whole number"),
        (2.0, int, 0, "is 2.0, expected a whole number"),
        ("2", float, 0, "is '2', expected a number"),
        (math.inf, float, 0, "is inf, expected a number"),
        (math.nan, float, 0, "is nan, expected a number"),
        ([1], dict, 0, r"is \[1\], expected an object"),
        (10**100, int, 0, "is 10{70}"),
    ],
)
def test_setting(value: Any, kind: Any, least: float, expected: str | None) -> None:
    def read() -> Any:
        most = 10**12 if kind in (int, float) else math.inf
        return setting({"a": value}, "a", kind, FILE, least=least, most=most)

    if expected is None:
        assert read() == value
        return
    with pytest.raises(CheckpointError, match=rf"^some\.json says a {expected}.*get it again$"):
        read()


def test_what_is_left_out_is_none() -> None:
    assert setting({}, "a", int, FILE, least=1) is None


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("num_hidden_layers", 0, "num_hidden_layers is 0, expected a whole number of at least 1"),
        ("num_hidden_layers", -1, "num_hidden_layers is -1"),
        ("vocab_size", 0, "vocab_size is 0"),
        ("vocab_size", 10**12, "vocab_size is 1000000000000, .* at most 16,777,216"),
        ("hidden_size", 10**9, "hidden_size is 1000000000"),
        ("num_experts", 10**12, "num_experts is 1000000000000"),
        ("max_position_embeddings", -3, "max_position_embeddings is -3"),
        ("max_position_embeddings", 10**15, "max_position_embeddings is 1000000000000000"),
        ("rope_theta", "x", "rope_theta is 'x', expected a number"),
        ("rope_scaling", {"type": "linear", "factor": 0}, "factor is 0, expected a number"),
        ("quantization_config", [1], r"quantization_config is \[1\], expected an object"),
    ],
)
def test_configurations_that_no_model_has(
    tmp_path: Path, key: str, value: Any, message: str
) -> None:
    llama().save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    with pytest.raises(CheckpointError, match=rf"config\.json says {message}"):
        open_checkpoint(str(tmp_path))


@pytest.mark.parametrize(
    "kind", ["gemma3_text", "gemma4_text", "gemma3n_text", "xlnet", "gpt2", "mpt"]
)
def test_configurations_of_every_kind_pass(kind: str) -> None:
    """Sizes of each layer, of layers by type, and by names of their own."""
    config = AutoConfig.for_model(kind)
    check_config(config, config.to_dict(), FILE)


def test_what_transformers_raises_is_one_clear_error() -> None:
    message = r"^no model of x: ZeroDivisionError; try y$"
    with (
        pytest.raises(UnsupportedModelError, match=message),
        guarded("no model of x", "; try y"),
    ):
        raise ZeroDivisionError
    with pytest.raises(CheckpointError, match=r"^own$"), guarded("no model of x"):
        raise CheckpointError("own")
