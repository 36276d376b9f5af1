"""FP8 weights with a scale for each tile, as DeepSeek V3 was published.

<name>.weight            E4M3 (N, K)
<name>.weight_scale_inv  f32 (N / n, K / k), rounded up: tiles of `weight_block_size` [n, k] are
                         times it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from compiler.checkpoint.base import Array, StoredTensors, TensorInfo
from compiler.errors import CheckpointError, UnsupportedModelError
from compiler.quantize import Quantized

SCALES = "_scale_inv"
STORED = "FP8"  # with its scales; files call the numbers alone F8_E4M3


@dataclass(frozen=True)
class Fp8Tensor:
    """A weight that has to be coded anew: an 8-bit float is no code of ours."""

    files: StoredTensors
    name: str
    tile: tuple[int, int]

    @property
    def info(self) -> TensorInfo:
        return replace(self.files.info(self.name), stored=STORED)

    def load(self) -> Array:
        scales = torch.from_numpy(self.files.load(self.name + SCALES))
        values = torch.from_numpy(self.files.load(self.name))
        expected = tuple(-(-e // t) for e, t in zip(values.shape, self.tile, strict=False))
        if values.ndim != 2 or tuple(scales.shape) != expected:
            raise CheckpointError(
                f"{self.name}{SCALES} has shape {tuple(scales.shape)}, expected {expected} for "
                f"{tuple(values.shape)}: the file is damaged, get it again"
            )
        for row in range(len(scales)):
            span = slice(row * self.tile[0], (row + 1) * self.tile[0])
            width = min(self.tile[1], values.shape[1])
            values[span] *= scales[row].repeat_interleave(width)[: values.shape[1]]
        return values.numpy()

    def quantized(self) -> Quantized | None:
        return None


def weights(files: StoredTensors, settings: Mapping[str, Any]) -> dict[str, Fp8Tensor]:
    """The weights stored so, by name. Raises UnsupportedModelError for scales of another kind."""
    tile = settings.get("weight_block_size")
    if not (isinstance(tile, list) and len(tile) == 2 and all(type(t) is int for t in tile)):
        raise UnsupportedModelError(
            "FP8 weights can be read with a weight_block_size of two numbers alone, and "
            f"config.json says {tile!r}: compile the original checkpoint"
        )
    if min(tile) < 1:
        raise CheckpointError(f"config.json names a weight_block_size of {tile}: get it again")
    known = set(files.names())
    names = [name for name in files.names() if name + SCALES in known]
    return {name: Fp8Tensor(files, name, (tile[0], tile[1])) for name in names}


def parts(name: str) -> list[str]:
    """What a weight that `weights` found is made of."""
    return [name, name + SCALES]
