"""Weights in the format "pack-quantized" of the compressed-tensors library.

A linear layer (N, K) in G groups, with c = 32 / bits codes in an i32 word, the first lowest::

    weight_packed      (N, K / c)  neighbouring inputs; what is stored is the signed code + 2^(b-1)
    weight_scale       (N, G)
    weight_zero_point  (N / c, G)  neighbouring outputs, likewise; where weights are not symmetric
    weight_g_idx       (K,)        the group of each input, where they are not in order
    weight_shape       N, K
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from compiler.checkpoint.base import IntArray, StoredTensors
from compiler.checkpoint.grid import Codes, Grid, GridTensor, unpack
from compiler.errors import CheckpointError, UnsupportedModelError

FORMAT = "pack-quantized"
_PARTS = ("_packed", "_scale", "_zero_point", "_g_idx", "_shape")
_BITS = (4, 8)


@dataclass(frozen=True)
class _Layers:
    files: StoredTensors
    bits: int

    def tensor(self, name: str) -> GridTensor:
        """The weight `name`; its shape is that of its words."""
        words = self.files.info(f"{name}_packed")
        if len(words.shape) != 2 or f"{name}_scale" not in self.files.names():
            raise CheckpointError(
                f"{name}_packed has shape {words.shape}, or no {name}_scale beside it: the file is "
                "damaged, get it again"
            )
        shape = (words.shape[0], words.shape[1] * 32 // self.bits)
        grid, codes = partial(self._grid, name, *shape), partial(self._codes, name)
        return GridTensor(f"PACKED-{self.bits}", shape, words.bytes, grid, codes)

    def _codes(self, name: str) -> Codes:
        stored = f"{name}_packed"
        return unpack(self._words(stored, self.files.info(stored).shape), self.bits)

    def _grid(self, name: str, rows: int, columns: int) -> Grid:
        found = self.files.info(f"{name}_scale").shape
        count = found[1] if len(found) == 2 else 0
        if found != (rows, count) or not count or columns % count:
            raise CheckpointError(
                f"{name}_scale has shape {found}, which does not fit {rows} rows of {columns}: the "
                "file is damaged, get it again"
            )
        scales = self.files.load(f"{name}_scale")
        zeros = np.full((rows, count), 2 ** (self.bits - 1), np.int32)
        known = self.files.names()
        if f"{name}_zero_point" in known:
            shape = (rows * self.bits // 32, count)
            words = self._words(f"{name}_zero_point", shape)
            zeros = np.ascontiguousarray(unpack(words.T, self.bits).T).astype(np.int32)
        groups = np.arange(columns, dtype=np.int32) // np.int32(columns // count)
        if f"{name}_g_idx" in known:
            groups = self._words(f"{name}_g_idx", (columns,))
        return Grid(name, self.bits, scales, zeros, groups)

    def _words(self, name: str, shape: tuple[int, ...]) -> IntArray:
        tensor = self.files.raw(name)
        if tuple(tensor.shape) != shape or str(tensor.dtype) != "torch.int32":
            raise CheckpointError(
                f"{name} is {str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}, "
                f"expected int32 {shape}: the file is damaged, get it again"
            )
        words: IntArray = tensor.numpy()
        return words


def layers(files: StoredTensors, settings: Mapping[str, Any]) -> dict[str, GridTensor]:
    """The quantized weights of a checkpoint by name.

    Raises UnsupportedModelError for formats that cannot be read, CheckpointError for damage.
    """
    groups = settings.get("config_groups")
    found = (
        [g.get("weights") for g in groups.values() if isinstance(g, dict)]
        if isinstance(groups, dict)
        else []
    )
    bits = {str(w.get("num_bits")) if isinstance(w, dict) else "no" for w in found}
    if settings.get("format") != FORMAT or len(bits) != 1 or not bits <= set(map(str, _BITS)):
        raise UnsupportedModelError(
            f"compressed-tensors weights in the format {settings.get('format')!r} with "
            f"{sorted(bits)} bits cannot be read, only {FORMAT!r} with 4 or 8 in all "
            "layers: compile the original checkpoint or a GGUF file of the model"
        )
    every = _Layers(files, int(bits.pop()))
    stems = [n.removesuffix("_packed") for n in files.names() if n.endswith(".weight_packed")]
    return {stem: every.tensor(stem) for stem in stems}


def parts(name: str) -> list[str]:
    """What a weight that `layers` found is made of, if present."""
    return [name + part for part in _PARTS]
