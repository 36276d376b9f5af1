from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from compiler.bundle.schema import Span
from compiler.bundle.shards import ShardWriter


def _read(root: Path, spans: list[Span]) -> bytes:
    return b"".join(
        (root / span.file).read_bytes()[span.offset : span.offset + span.bytes] for span in spans
    )


def test_tensors_share_shards_and_are_cut_at_the_limit(tmp_path: Path) -> None:
    tensors = {"a": bytes([1]) * 12, "b": bytes(range(40)), "c": bytes([3]) * 8}
    writer = ShardWriter(tmp_path, shard_bytes=16)
    for name, data in tensors.items():
        writer.append(name, data)
    spans, files = writer.finish()
    assert [(s.offset, s.bytes) for s in spans["b"]] == [(12, 4), (0, 16), (0, 16), (0, 4)]
    assert {name: _read(tmp_path, spans[name]) for name in tensors} == tensors
    assert [entry.bytes for entry in files.values()] == [16, 16, 16, 12]


def test_files_are_named_by_their_hash_and_nothing_else_is_left(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, shard_bytes=16)
    writer.append("a", bytes(range(20)))
    _, files = writer.finish()
    assert {f"weights/{path.name}" for path in (tmp_path / "weights").iterdir()} == set(files)
    for name, entry in files.items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == entry.sha256
        assert name == f"weights/{entry.sha256[:16]}.bin"


def test_shards_of_equal_content_are_stored_once(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, shard_bytes=16)
    writer.append("zeros", bytes(48))
    spans, files = writer.finish()
    assert len(spans["zeros"]) == 3
    assert len(files) == 1
    assert _read(tmp_path, spans["zeros"]) == bytes(48)


def test_a_numpy_array_is_written_as_its_bytes(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    writer = ShardWriter(tmp_path)
    writer.append("a", array.data)
    spans, _ = writer.finish()
    assert _read(tmp_path, spans["a"]) == array.tobytes()


@pytest.mark.parametrize("data", [b"", b"abcde"])
def test_a_size_that_webgpu_cannot_copy_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ValueError, match="not a multiple of 4"):
        ShardWriter(tmp_path).append("a", data)


def test_a_tensor_is_written_once(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path)
    writer.append("a", bytes(4))
    with pytest.raises(ValueError, match="a was already written"):
        writer.append("a", bytes(4))
    writer.close()
