"""`module.py:make_model`: the file is run, and whatever goes wrong is one clear error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from compiler.checkpoint.open import open_checkpoint
from compiler.checkpoint.own import OwnCheckpoint, is_own
from compiler.errors import CheckpointError, CompileError, UnsupportedModelError, UsageError
from tests.support import own_models
from tests.unit.checkpoint.tiny import write_tokenizer

SOURCE = Path(own_models.__file__)
FILE = """
import torch
from sizes import WIDTH

def make_model():
    return torch.nn.Linear(WIDTH, 2)

def broken():
    raise KeyError("vocab")

def leaving():
    raise SystemExit(0)

def importing():
    from sizes import WIDTH as later
    return later

def nothing():
    return {}

value = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "sizes.py").write_text("WIDTH = 3\n")
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(
    ("source", "own"),
    [
        ("a.py:f", True),
        ("dir/a.py", True),
        ("a.pt2", True),
        ("org/name", False),
        ("org/name:file.gguf", False),
        ("model.gguf", False),
        ("a.python:f", False),
    ],
)
def test_what_is_own(source: str, own: bool) -> None:
    assert is_own(source) == own


def test_a_module_and_its_neighbours(file: Path) -> None:
    with open_checkpoint(f"{file}:make_model") as checkpoint:
        assert isinstance(checkpoint, OwnCheckpoint)
        assert checkpoint.names() == ["weight", "bias"]
        assert (checkpoint.label, checkpoint.architecture) == ("mine.py:make_model", "Linear")
        assert checkpoint.info("weight").shape == (2, 3)


def test_weights_are_the_modules_own() -> None:
    checkpoint = OwnCheckpoint(f"{SOURCE}:nano")
    expected = own_models.nano().state_dict()
    assert expected.keys() < set(checkpoint.names())  # buffers that are not saved too
    assert np.array_equal(checkpoint.load("head.weight"), expected["tokens.weight"].numpy())
    assert checkpoint.quantized("head.weight") is None


def test_half_precision_becomes_single() -> None:
    checkpoint = OwnCheckpoint(f"{SOURCE}:half")
    values = own_models.half().state_dict()["head.weight"].float().numpy()
    assert np.array_equal(checkpoint.load("head.weight"), values)


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        ("missing", CheckpointError, "mine.py has no function missing"),
        ("value", CheckpointError, "has no function value"),
        ("broken", CheckpointError, "mine.py, line 9, raises KeyError: 'vocab'"),
        ("leaving", CheckpointError, "mine.py, line 12, raises SystemExit: 0"),
        ("importing", UnsupportedModelError, "returns a int: return a torch.nn.Module"),
        ("nothing", UnsupportedModelError, "returns a dict: return a torch.nn.Module"),
    ],
)
def test_functions(file: Path, function: str, kind: type[CompileError], message: str) -> None:
    with pytest.raises(kind, match=message):
        open_checkpoint(f"{file}:{function}")


@pytest.mark.parametrize(
    ("text", "message"),
    [("import torhc", r"line 1, raises ModuleNotFoundError: No module"), ("def f(:", "SyntaxErr")],
)
def test_files_that_cannot_be_imported(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(f"{tmp_path}/bad.py:make_model")


def test_arguments(file: Path, tmp_path: Path) -> None:
    for source, message in [
        (f"{tmp_path}/no.py:f", "no.py does not exist"),
        (f"{tmp_path}/no.pt2", "no.pt2 does not exist"),
    ]:
        with pytest.raises(CheckpointError, match=message):
            open_checkpoint(source)
    with pytest.raises(UsageError, match=r"name its function, .*mine.py:make_model"):
        open_checkpoint(str(file))
    with pytest.raises(UsageError, match="--revision main is for hub ids"):
        open_checkpoint(f"{file}:make_model", "main")
    with pytest.raises(UsageError, match=r"--tokenizer .* is for your own PyTorch"):
        open_checkpoint(str(tmp_path), tokenizer=tmp_path)


def test_tokenizers(file: Path, tmp_path: Path) -> None:
    """In the folder that is named, or else beside the file."""
    checkpoint = OwnCheckpoint(f"{file}:make_model")
    with pytest.raises(
        CheckpointError, match=r"has no tokenizer.json: give the folder .* with --to"
    ):
        _ = checkpoint.tokenizer
    other = tmp_path / "other"
    other.mkdir()
    write_tokenizer(other)
    assert 258 in OwnCheckpoint(f"{file}:make_model", other).tokenizer.stop_tokens
    write_tokenizer(tmp_path)
    assert b"vocab" in OwnCheckpoint(f"{file}:make_model").tokenizer.model_json


def test_contexts(file: Path) -> None:
    checkpoint = OwnCheckpoint(f"{file}:make_model")
    assert checkpoint.context is None
    assert isinstance(checkpoint.module, torch.nn.Module)
    checkpoint.module.context = True
    with pytest.raises(UnsupportedModelError, match="is True: make it the number of positions"):
        _ = checkpoint.context
    checkpoint.module.context = torch.tensor(3)
    with pytest.raises(UnsupportedModelError, match=r"`context` of mine.py:make_model is tensor"):
        _ = checkpoint.context
