"""Files of a directory as MLC-LLM writes weights: named tensors in shards that a JSON file lists.

    tensor-cache.json (once ndarray-cache.json):
    {"records": [{"dataPath": "params_shard_0.bin", "format": "raw-shard", "nbytes", "md5sum",
                  "records": [{"name", "shape", "dtype", "format", "nbytes", "byteOffset"}]}]}

Numbers are little endian; format "f32-to-bf16" keeps the upper halves of f32 numbers.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from compiler.checkpoint.base import one_line
from compiler.checkpoint.tokenizer_files import read_json
from compiler.errors import CheckpointError, UnsupportedModelError

CONFIG = "mlc-chat-config.json"
INDEXES = ("tensor-cache.json", "ndarray-cache.json")  # the newer name first

_TYPES = {"float32": "<f4", "float16": "<f2", "uint32": "<u4", "bfloat16": "<u2"}
_NARROWED = "f32-to-bf16"


@dataclass(frozen=True)
class Record:
    """One stored tensor."""

    shape: tuple[int, ...]
    dtype: str  # MLC's name of the type it stands for
    file: Path
    offset: int
    bytes: int
    narrowed: bool  # f32 stored as bf16


def is_mlc(directory: Path) -> bool:
    """Whether weights are here in MLC's way."""
    return (directory / CONFIG).exists() and _index(directory) is not None


def _index(directory: Path) -> Path | None:
    return next((directory / n for n in INDEXES if (directory / n).exists()), None)


class MlcFiles:
    """Tensors by MLC's names. Raises CheckpointError for a list or files that are damaged or
    incomplete, UnsupportedModelError for types that cannot be read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._index = _index(directory) or directory / INDEXES[0]
        self._md5: dict[Path, str] = {}  # of files that were not checked yet
        self.records: dict[str, Record] = {}
        try:
            for shard in read_json(self._index)["records"]:
                self._add(shard)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise CheckpointError(
                f"{self._index} is no list of MLC's weights ({type(error).__name__}: "
                f"{one_line(error)}): get it again"
            ) from error

    def _add(self, shard: dict[str, Any]) -> None:
        name = shard["dataPath"]
        file = self._directory / name
        if Path(name).name != name or not file.is_file():
            raise CheckpointError(f"{file} is missing, though {self._index.name} lists it")
        size = file.stat().st_size
        if shard.get("format", "raw-shard") != "raw-shard" or size != shard["nbytes"]:
            raise CheckpointError(
                f"{file} has {size} bytes, {self._index.name} says {shard['nbytes']} as "
                f"{shard.get('format')}: get it again"
            )
        if shard.get("md5sum"):
            self._md5[file] = str(shard["md5sum"])
        for entry in shard["records"]:
            self.records[str(entry["name"])] = self._record(entry, file, size)

    def _record(self, entry: dict[str, Any], file: Path, size: int) -> Record:
        dtype, form = entry["dtype"], entry.get("format", "raw")
        if dtype not in _TYPES or form not in ("raw", _NARROWED):
            raise UnsupportedModelError(
                f"{file} holds {entry['name']} as {dtype} ({form}), which cannot be read"
            )
        narrowed = form == _NARROWED and dtype == "float32"
        shape = tuple(int(extent) for extent in entry["shape"])
        offset, length = int(entry["byteOffset"]), int(entry["nbytes"])
        width = 2 if narrowed else np.dtype(_TYPES[dtype]).itemsize
        inside = offset >= 0 and min(shape, default=0) >= 0 and offset + length <= size
        if not inside or math.prod(shape) * width != length:
            raise CheckpointError(
                f"{self._index} puts {entry['name']} {shape} of {dtype} at {length} bytes from "
                f"{offset} of {file.name} ({size} bytes): get it again"
            )
        return Record(shape, dtype, file, offset, length, narrowed)

    def read(self, name: str) -> npt.NDArray[Any]:
        """A tensor as it is stored; bf16 as f32. KeyError for an unknown name."""
        record = self.records[name]
        self._check(record.file)
        with record.file.open("rb") as opened:
            opened.seek(record.offset)
            data = opened.read(record.bytes)
        if record.narrowed or record.dtype == "bfloat16":
            upper = np.frombuffer(data, "<u2").astype("<u4") << np.uint32(16)
            return upper.view("<f4").reshape(record.shape)
        return np.frombuffer(data, _TYPES[record.dtype]).reshape(record.shape)

    def _check(self, file: Path) -> None:
        """Once for each file, when it is first read."""
        expected = self._md5.pop(file, None)
        if expected is None:
            return
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False))
        if found.hexdigest() != expected:
            raise CheckpointError(
                f"{file} is not what {self._index.name} lists (its MD5 differs): get it again"
            )
