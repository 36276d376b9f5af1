"""Tensors in `pytorch_model.bin` files."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from zipfile import is_zipfile

import torch

from compiler.checkpoint.base import Array, TensorInfo, one_line
from compiler.errors import CheckpointError

_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
}


class TorchFiles:
    """One or more files written by `torch.save(state_dict)`.

    Only tensors are unpickled, never code. Raises CheckpointError when a file is missing, damaged
    or holds anything else.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._file: dict[str, Path] = {}
        self._info: dict[str, TensorInfo] = {}
        # Files from before torch 1.6 are no zip archives and cannot be mapped: they stay in memory.
        self._unmapped: dict[Path, dict[str, torch.Tensor]] = {}
        for file in files:
            self._index(file)

    def _index(self, file: Path) -> None:
        state = _read(file)
        for name, tensor in state.items():
            stored = _TYPES.get(tensor.dtype, str(tensor.dtype).removeprefix("torch.").upper())
            size = tensor.numel() * tensor.element_size()
            self._info[name] = TensorInfo(tuple(tensor.shape), stored, size)
            self._file[name] = file
        if not is_zipfile(file):
            self._unmapped[file] = state

    def names(self) -> list[str]:
        return list(self._info)

    def info(self, name: str) -> TensorInfo:
        return self._info[name]

    def load(self, name: str) -> Array:
        return self.raw(name).to(torch.float32, copy=True).contiguous().numpy()

    def raw(self, name: str) -> torch.Tensor:
        # Opened anew each time: unmapping afterwards keeps what was read from adding up in memory.
        file = self._file[name]
        return (self._unmapped.get(file) or _read(file))[name].detach().contiguous()


def _read(file: Path) -> dict[str, torch.Tensor]:
    """The state dict, mapped where the format allows it."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True, mmap=is_zipfile(file))
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{file} cannot be read ({one_line(error)}): it is missing, truncated or not a PyTorch "
            "state_dict; get it again, or as safetensors"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(t, torch.Tensor) for t in state.values()):
        raise CheckpointError(
            f"{file} holds more than a state_dict of tensors: save model.state_dict() alone, "
            "or use model.save_pretrained()"
        )
    return state
