"""params_shard_*.bin and the list of what is in them, as MLC-LLM writes them.

compiler/checkpoint/mlc_files.py describes both and reads them.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from compiler.checkpoint.mlc_files import INDEXES

SHARD_BYTES = 32 * 1024 * 1024  # a larger tensor has a shard of its own


class MlcShards:
    """Appends tensors to shards in `folder`; `finish` writes the list."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shards: list[dict[str, Any]] = []
        self._file: BinaryIO | None = None
        self.bytes = 0

    def add(self, name: str, array: npt.NDArray[Any], dtype: str) -> None:
        """A tensor under MLC's name of its type; bytes go to disk at once."""
        data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        if self._shards and self._shards[-1]["nbytes"] + len(data) > SHARD_BYTES:
            self.close()
        if self._file is None:
            self._open()
        assert self._file is not None
        shard = self._shards[-1]
        shard["records"].append(
            {
                "name": name,
                "shape": list(array.shape),
                "dtype": dtype,
                "format": "raw",
                "nbytes": len(data),
                "byteOffset": shard["nbytes"],
            }
        )
        self._file.write(data)
        self._md5.update(data)
        shard["nbytes"] += len(data)
        self.bytes += len(data)

    def finish(self, parameters: int) -> None:
        """Writes the list, under its newer and its older name."""
        self.close()
        metadata = {
            "ParamSize": sum(len(shard["records"]) for shard in self._shards),
            "ParamBytes": float(self.bytes),
            "BitsPerParam": self.bytes * 8 / parameters,
        }
        text = json.dumps({"metadata": metadata, "records": self._shards}, indent=2)
        for name in INDEXES:
            (self._folder / name).write_text(text)

    def _open(self) -> None:
        name = f"params_shard_{len(self._shards)}.bin"
        self._shards.append(
            {"dataPath": name, "format": "raw-shard", "nbytes": 0, "records": [], "md5sum": ""}
        )
        self._file = (self._folder / name).open("wb")
        self._md5 = hashlib.md5(usedforsecurity=False)

    def close(self) -> None:
        """Ends the shard that is being written, if one is."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._shards[-1]["md5sum"] = self._md5.hexdigest()
