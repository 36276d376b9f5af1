"""What a person may give as a source."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.checkpoint import open_checkpoint
from compiler.errors import CheckpointError, UsageError
from tests.unit.checkpoint.gguf_writer import write_gguf


def test_a_gguf_file_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "blob")
    assert open_checkpoint(str(path)).label == "blob"


@pytest.mark.parametrize("source", ["missing.gguf", "./org/name", "/no/such", "a/b/c", "m.bin"])
def test_missing_paths(source: str) -> None:
    with pytest.raises(CheckpointError, match="does not exist: check the path"):
        open_checkpoint(source)


def test_weights_alone_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    with pytest.raises(CheckpointError, match="give the directory"):
        open_checkpoint(str(path))


def test_revision_of_a_local_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--revision main is for hub ids"):
        open_checkpoint(str(tmp_path), "main")
