"""Packs tensors one after the other into weights/<hash>.bin files of at most SHARD_BYTES."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

from compiler.bundle.schema import SHARD_BYTES, FileEntry, Span

Data = bytes | bytearray | memoryview  # of a NumPy array: `array.data`

FOLDER = "weights"
HASH_DIGITS = 16  # of the SHA-256 in a file's name
UNIT = 4  # bytes; WebGPU copies into a buffer in multiples of four


def hashed_name(sha256: str) -> str:
    """The part of a file's name that stands for its content."""
    return sha256[:HASH_DIGITS]


class ShardWriter:
    """Appends tensors; only the open shard's hash is in memory, its bytes are on disk.

    A shard gets its name when it is full, so spans come out of `finish`::

        writer = ShardWriter(bundle_dir)
        writer.append("embed", codes)
        spans, files = writer.finish()  # {"embed": [Span("weights/....bin", 0, 1024)]}
    """

    def __init__(self, root: Path, shard_bytes: int = SHARD_BYTES) -> None:
        self._root = root
        self._limit = shard_bytes
        self._open: _Shard | None = None
        self._names: list[str] = []  # of the finished shards
        self._files: dict[str, FileEntry] = {}
        # Per tensor: (index of the shard, offset, bytes).
        self._ranges: dict[str, list[tuple[int, int, int]]] = {}
        (root / FOLDER).mkdir(parents=True, exist_ok=True)

    def append(self, name: str, data: Data) -> None:
        """Adds a tensor's bytes (C-contiguous, a multiple of four)."""
        rest = memoryview(data).cast("B")
        if name in self._ranges:
            raise ValueError(f"tensor {name} was already written")
        if not rest.nbytes or rest.nbytes % UNIT:
            raise ValueError(f"tensor {name}: {rest.nbytes} bytes, not a multiple of {UNIT}")
        ranges = self._ranges[name] = []
        while rest.nbytes:
            shard = self._open or self._begin()
            piece = rest[: self._limit - shard.bytes]
            ranges.append((len(self._names), shard.bytes, piece.nbytes))
            shard.write(piece)
            rest = rest[piece.nbytes :]
            if shard.bytes == self._limit:
                self._end(shard)

    def finish(self) -> tuple[dict[str, list[Span]], dict[str, FileEntry]]:
        """Closes the last shard; gives the spans of every tensor and the entry of every file."""
        if self._open:
            self._end(self._open)
        spans = {
            name: [Span(self._names[shard], offset, size) for shard, offset, size in ranges]
            for name, ranges in self._ranges.items()
        }
        return spans, self._files

    def close(self) -> None:
        """Closes the open file after a failure."""
        if self._open:
            self._open.file.close()
            self._open = None

    def _begin(self) -> _Shard:
        self._open = _Shard(self._root / FOLDER / "open.part")
        return self._open

    def _end(self, shard: _Shard) -> None:
        shard.file.close()
        entry = FileEntry(bytes=shard.bytes, sha256=shard.hash.hexdigest())
        name = f"{FOLDER}/{hashed_name(entry.sha256)}.bin"
        shard.path.replace(self._root / name)
        self._names.append(name)
        self._files[name] = entry
        self._open = None


class _Shard:
    """The file being filled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: BinaryIO = path.open("wb")
        self.hash = hashlib.sha256()
        self.bytes = 0

    def write(self, piece: memoryview) -> None:
        self.file.write(piece)
        self.hash.update(piece)
        self.bytes += piece.nbytes
