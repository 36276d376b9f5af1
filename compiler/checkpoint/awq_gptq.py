"""AWQ and GPTQ weights: codes in i32 words, a scale and a zero point for each group of inputs.

A linear layer (N, K) in G groups, with c = 32 / bits codes in a word, the first lowest::

    GPTQ  qweight (K / c, N)  neighbouring inputs of one output
          qzeros  (G, N / c)  neighbouring outputs; one less than the zero point, unless "gptq_v2"
          scales  (G, N)
          g_idx   (K,)        the group of each input; with act-order ("desc_act") not in order
    AWQ   qweight (K, N / 8)  nibble i of a word is output ORDER[i] of eight neighbouring ones
          qzeros  (G, N / 8)  likewise
          scales  (G, N)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from compiler.checkpoint.base import IntArray, StoredTensors
from compiler.checkpoint.grid import Codes, Grid, GridTensor, unpack
from compiler.errors import CheckpointError, UnsupportedModelError

ORDER = (0, 2, 4, 6, 1, 3, 5, 7)  # AutoAWQ's, of the outputs in a word
_CODES = ".qweight"
_BITS = {"awq": (4,), "gptq": (2, 4, 8)}


@dataclass(frozen=True)
class _Layers:
    """All quantized layers of a checkpoint."""

    files: StoredTensors
    method: str
    bits: int
    group: int  # inputs; 0: all of a row
    one_less: bool  # zero points are stored so
    in_order: bool  # no g_idx is needed

    @property
    def count(self) -> int:
        """Codes in a word."""
        return 32 // self.bits

    def tensor(self, stem: str) -> GridTensor:
        words = self.files.info(stem + _CODES)
        if len(words.shape) != 2 or 0 in words.shape:
            raise CheckpointError(f"{stem}{_CODES} has shape {words.shape}: get the file again")
        outer, inner = words.shape
        gptq = self.method == "gptq"
        shape = (inner, outer * self.count) if gptq else (inner * self.count, outer)
        return GridTensor(
            f"{self.method.upper()}-{self.bits}",
            shape,
            words.bytes,
            partial(self._grid, stem, *shape),
            partial(self._codes, stem, *shape),
        )

    def _codes(self, stem: str, rows: int, columns: int) -> Codes:
        if self.method == "gptq":
            stored = self._read(stem + _CODES, (columns // self.count, rows), torch.int32)
            return unpack(stored.T, self.bits)
        stored = self._read(stem + _CODES, (columns, rows // self.count), torch.int32)
        return np.ascontiguousarray(self._outputs(stored).T)

    def _outputs(self, stored: IntArray) -> Codes:
        """Words (A, N / c) of neighbouring outputs -> (A, N)."""
        codes = unpack(stored, self.bits)
        if self.method == "gptq":
            return codes
        octets = codes.reshape(len(codes), -1, len(ORDER))
        return octets[..., np.argsort(ORDER)].reshape(len(codes), -1)

    def _grid(self, stem: str, rows: int, columns: int) -> Grid:
        groups = self._groups(stem, columns)
        found = self.files.info(self._part(stem, "scales")).shape
        count = found[0] if len(found) == 2 else 0
        scales = self._read(f"{stem}.scales", (count, rows), None).astype(np.float32)
        words = self._read(f"{stem}.qzeros", (count, rows // self.count), torch.int32)
        if self.one_less:  # the whole word, as it was taken off the whole word
            ones = sum(1 << shift for shift in range(0, 32, self.bits))
            words = (words.view(np.uint32) + np.uint32(ones)).view(np.int32)
        zeros = self._outputs(words).astype(np.int32)
        whole = [np.ascontiguousarray(part.T) for part in (scales, zeros)]
        return Grid(f"{stem}.weight", self.bits, whole[0], whole[1], groups)

    def _groups(self, stem: str, columns: int) -> IntArray:
        index = f"{stem}.g_idx"
        if index in self.files.names() and self.method == "gptq":
            groups: IntArray = self._read(index, (columns,), torch.int32)
            return groups
        if not self.in_order:
            raise CheckpointError(f"{index} is missing, though config.json says desc_act")
        return np.arange(columns, dtype=np.int32) // np.int32(self.group or columns)

    def _part(self, stem: str, part: str) -> str:
        name = f"{stem}.{part}"
        if name not in self.files.names():
            raise CheckpointError(f"{name} is missing beside {stem}{_CODES}: get the file again")
        return name

    def _read(self, name: str, shape: tuple[int, ...], kind: torch.dtype | None) -> Any:
        """A part as it is stored, or as f32 where `kind` is None."""
        tensor = self.files.raw(self._part(*name.rsplit(".", 1)))
        right = tensor.is_floating_point() if kind is None else tensor.dtype == kind
        if tuple(tensor.shape) != shape or not right:
            raise CheckpointError(
                f"{name} is {str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}, "
                f"expected {'floats' if kind is None else 'int32'} {shape}: the file is damaged, "
                "or config.json belongs to another model"
            )
        return tensor.to(torch.float32 if kind is None else kind).numpy()


def layers(files: StoredTensors, settings: Mapping[str, Any]) -> dict[str, GridTensor]:
    """The quantized weights of a checkpoint by name, of `quantization_config` in its config.json.

    Raises CheckpointError for settings that cannot be, UnsupportedModelError for layouts that
    cannot be read.
    """
    method = str(settings["quant_method"])
    bits, group = settings.get("bits"), settings.get("group_size", 128)
    if type(bits) is not int or bits not in _BITS[method]:
        known = " or ".join(map(str, _BITS[method]))
        raise UnsupportedModelError(
            f"{method.upper()} with {bits} bits cannot be read, only {known}: compile the original "
            "checkpoint or a GGUF file of the model"
        )
    if type(group) is not int or not (group == -1 or 0 < group <= 2**20):
        raise CheckpointError(f"config.json names a group_size of {group!r}: get it again")
    version = str(settings.get("version") or "gemm").lower()
    if method == "awq" and version != "gemm":
        raise UnsupportedModelError(
            f"AWQ in the layout {version!r} cannot be read, only 'gemm': compile the original "
            "checkpoint or a GGUF file of the model"
        )
    one_less = method == "gptq" and settings.get("checkpoint_format", "gptq") != "gptq_v2"
    in_order = method == "awq" or not settings.get("desc_act")
    every = _Layers(files, method, bits, max(0, group), one_less, in_order)
    stems = [name.removesuffix(_CODES) for name in files.names() if name.endswith(_CODES)]
    return {f"{stem}.weight": every.tensor(stem) for stem in stems}


PARTS = (_CODES, ".qzeros", ".scales", ".g_idx")  # of a layer that is quantized


def parts(name: str) -> list[str]:
    """What a weight that `layers` found is made of, if present."""
    return [name.removesuffix(".weight") + part for part in PARTS]
