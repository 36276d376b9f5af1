"""Tensors in `pytorch_model.bin` files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zipfile import is_zipfile

import torch

from compiler.checkpoint.base import TensorFiles, TensorInfo, one_line
from compiler.errors import CheckpointError

_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
}


class TorchFiles(TensorFiles):
    """One or more files written by `torch.save(state_dict)`.

    Only tensors are unpickled, never code. Raises CheckpointError when a file is missing, damaged
    or holds anything else.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        super().__init__()
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

    def raw(self, name: str) -> torch.Tensor:
        # Opened anew each time: unmapping afterwards keeps what was read from adding up in memory.
        file = self._file[name]
        return (self._unmapped.get(file) or _read(file))[name].detach().contiguous()


def _read(file: Path) -> dict[str, torch.Tensor]:
    """The state dict, mapped where the format allows it."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True, mmap=is_zipfile(file))
    except Exception as error:  # damage ends in whatever the unpickler does with it
        raise CheckpointError(
            f"{file} cannot be read ({one_line(error)}): it is missing, truncated or not a PyTorch "
            "state_dict; get it again, or as safetensors"
        ) from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in state.items()
    ):
        raise CheckpointError(
            f"{file} holds more than a state_dict of tensors: save model.state_dict() alone, "
            "or use model.save_pretrained()"
        )
    for name, tensor in state.items():
        _require_whole(file, name, tensor)
    return state


def _require_whole(file: Path, name: str, tensor: torch.Tensor) -> None:
    """Refuses tensors without a stored value for each element, which may claim any size."""
    plain = tensor.layout is torch.strided and tensor.device.type == "cpu"
    if not plain or tensor.is_quantized or tensor.is_nested:
        raise CheckpointError(
            f"{file} holds {name} as a sparse, quantized or empty (meta) tensor: save plain "
            "tensors, or use model.save_pretrained()"
        )
    size, held = tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()
    if size > held:
        raise CheckpointError(
            f"{file} holds {held} bytes for {name} {tuple(tensor.shape)}, which takes {size}: the "
            "file is damaged, or the tensor was expanded; save it with .contiguous()"
        )
