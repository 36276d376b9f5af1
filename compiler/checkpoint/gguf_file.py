"""The GGUF container: metadata and raw tensor blocks, read through the gguf library."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from gguf.gguf_reader import ReaderTensor

from compiler.checkpoint.base import Array
from compiler.errors import CheckpointError, UnsupportedModelError


@dataclass(frozen=True)
class GgufTensor:
    """Where a tensor lies."""

    path: Path  # of the file, one of several where a model is cut
    shape: tuple[int, ...]  # slowest axis first (GGUF itself writes the fastest first)
    type: gguf.GGMLQuantizationType
    offset: int  # bytes from the file's start
    bytes: int


@dataclass(frozen=True)
class GgufFile:
    """A parsed file; tensor data stays on disk."""

    path: Path
    metadata: dict[str, Any]  # plain Python values, arrays as lists
    tensors: dict[str, GgufTensor]

    def blocks(self, name: str) -> npt.NDArray[np.uint8]:
        """The stored bytes of a tensor: u8 (..., bytes of one row), mapped from the file."""
        tensor = self.tensors[name]
        # Mapped anew each time: unmapping afterwards keeps pages read from adding up in memory.
        data = np.memmap(tensor.path, np.uint8, "r", tensor.offset, (tensor.bytes,))
        return data.reshape(*tensor.shape[:-1], -1)

    def values(self, name: str) -> Array:
        """A tensor dequantized to f32, in a fresh array.

        Raises UnsupportedModelError for a type that the gguf library cannot dequantize,
        CheckpointError for values that are no numbers.
        """
        tensor = self.tensors[name]
        try:
            with np.errstate(invalid="ignore", over="ignore"):
                values = np.array(gguf.dequantize(self.blocks(name), tensor.type), np.float32)
        except NotImplementedError as error:
            raise UnsupportedModelError(
                f"{self.path.name}: {name} is stored as {tensor.type.name}, which cannot be read: "
                "use a file quantized to Q4_0, Q4_1, Q8_0, Q4_K or Q6_K, or F16"
            ) from error
        if not np.isfinite(values).all():
            raise CheckpointError(
                f"{self.path} is damaged: {name} holds infinite values or none; get it again"
            )
        return values.reshape(tensor.shape)


class _BoundedReader(gguf.GGUFReader):
    """The library's reader, with an end: NumPy returns slices past a file's end short, which would
    let a damaged count loop for ever."""

    @property  # type: ignore[override]
    def data(self) -> npt.NDArray[np.uint8]:
        """The whole file, as a plain view of its map: slicing a memmap takes twice as long."""
        return self._bytes

    @data.setter
    def data(self, mapped: npt.NDArray[np.uint8]) -> None:
        self._bytes = np.asarray(mapped)

    def _get(self, offset: int, dtype: Any, count: int = 1, override_order: Any = None) -> Any:
        found = super()._get(offset, dtype, count, override_order)
        if len(found) < count:
            raise ValueError(f"it ends at byte {len(self.data)}, where more should follow")
        return found


def read_gguf(path: Path) -> GgufFile:
    """Parse metadata and the tensor table; of all files where `path` is one of a model cut in
    pieces, `name-00001-of-00003.gguf` and so on.

    Raises CheckpointError when a file is missing, truncated, damaged, or names unknown types.
    """
    metadata, tensors = _parse(path)
    count = metadata.get("split.count", 1)
    if not isinstance(count, int):
        raise CheckpointError(f"{path} is damaged: its split.count is {count!r}; get it again")
    if count > 1:
        metadata, tensors = {}, {}
        for piece in _pieces(path, count):
            own, found = _parse(piece)
            metadata, tensors = own | metadata, tensors | found
        expected = int(metadata.get("split.tensors.count", len(tensors)))
        if len(tensors) != expected:
            raise CheckpointError(
                f"{path} and the files beside it hold {len(tensors)} tensors, not {expected}: "
                "they belong to different models; get them again"
            )
    return GgufFile(path, metadata, tensors)


def _pieces(path: Path, count: int) -> list[Path]:
    """All files of a model that is cut."""
    found = _PIECE.search(path.name)
    if found is None or int(found["count"]) != count:  # nothing longer than the name says
        raise CheckpointError(
            f"{path} is one of {count} files of a model: give them back their names, which end in "
            f"-00001-of-{count:05d}.gguf"
        )
    names = [
        f"{path.name[: found.start()]}-{i:05d}-of-{count:05d}.gguf" for i in range(1, count + 1)
    ]
    for name in names:
        if not path.with_name(name).exists():
            raise CheckpointError(f"{path} is one of {count} files; {name} is missing beside it")
    return [path.with_name(name) for name in names]


_PIECE = re.compile(r"-\d{5}-of-(?P<count>\d{5})\.gguf$")


def _parse(path: Path) -> tuple[dict[str, Any], dict[str, GgufTensor]]:
    """One file's metadata and tensors."""
    try:
        with np.errstate(over="raise"):  # of an offset, whose remainder would lead elsewhere
            reader = _BoundedReader(path)
        metadata = {key: field.contents() for key, field in reader.fields.items()}
        tensors = {tensor.name: _tensor(path, tensor) for tensor in reader.tensors}
    except (OSError, ValueError, KeyError, IndexError, ArithmeticError, MemoryError) as error:
        raise CheckpointError(
            f"{path} is not a readable GGUF file ({error}): it is missing, truncated or damaged; "
            "get it again"
        ) from error
    if reader.byte_order == "S":
        raise CheckpointError(f"{path} is a GGUF file for big-endian machines: get the usual one")
    return metadata, tensors


def _tensor(path: Path, read: ReaderTensor) -> GgufTensor:
    shape = tuple(int(extent) for extent in reversed(read.shape))
    if not shape or 0 in shape:
        raise ValueError(f"{read.name} has the shape {shape}")
    return GgufTensor(path, shape, read.tensor_type, int(read.data_offset), int(read.n_bytes))
