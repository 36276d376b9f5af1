"""Tensors in `model.safetensors` files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from compiler.checkpoint.base import TensorFiles, TensorInfo
from compiler.errors import CheckpointError

_BITS = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}  # names that do not end in their size


class SafetensorsFiles(TensorFiles):
    """One or more safetensors files.

    Raises CheckpointError when a file is missing, truncated or no safetensors file.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        super().__init__()
        for file in files:
            self._index(file)

    def _index(self, file: Path) -> None:
        try:
            with safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118 (not a dict)
                    part = opened.get_slice(name)
                    shape, stored = tuple(part.get_shape()), str(part.get_dtype())
                    self._info[name] = TensorInfo(shape, stored, _bytes(shape, stored))
                    self._file[name] = file
        except (OSError, SafetensorError) as error:
            raise CheckpointError(
                f"{file} cannot be read ({error}): it is missing, truncated or not a safetensors "
                "file; get it again"
            ) from error

    def raw(self, name: str) -> torch.Tensor:
        # Opened anew each time: unmapping afterwards keeps what was read from adding up in memory.
        with safe_open(self._file[name], framework="pt") as opened:
            tensor: torch.Tensor = opened.get_tensor(name)
        return tensor


def _bytes(shape: tuple[int, ...], stored: str) -> int:
    digits = "".join(c for c in stored.split("_")[0] if c.isdigit())
    bits = _BITS.get(stored) or int(digits or 8)
    count = 1
    for extent in shape:
        count *= extent
    return count * bits // 8
