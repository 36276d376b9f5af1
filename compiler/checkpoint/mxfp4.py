"""MXFP4 in safetensors files, as GPT-OSS keeps its experts (OCP Microscaling Formats 1.0).

A tensor (E, K, N) is stored as its transposed matrices, in blocks of 32 inputs::

    <name>_blocks  u8 (E, N, K / 32, 16)  two E2M1 numbers a byte, the first in its low half
    <name>_scales  u8 (E, N, K / 32)      exponents: the block is times 2^(e - 127)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from compiler.checkpoint.base import Array, StoredTensors, TensorInfo
from compiler.errors import CheckpointError
from compiler.quantize import Q8, Quantized

BLOCKS, SCALES = "_blocks", "_scales"
BLOCK = 32
# Twice the numbers of E2M1, by code: whole, so that 8-bit codes can be.
TWICE = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.int8)
_BIAS = 128  # of the exponent, of doubled numbers
_LOWEST, _HIGHEST = -24, 15  # powers of two that f16 has

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Mxfp4Tensor:
    """A stack of matrices."""

    files: StoredTensors
    name: str

    @cached_property
    def info(self) -> TensorInfo:
        blocks, scales = (self.files.info(self.name + part) for part in (BLOCKS, SCALES))
        if len(blocks.shape) != 4 or blocks.shape != (*scales.shape, BLOCK // 2):
            raise CheckpointError(
                f"{self.name} has blocks {blocks.shape} and scales {scales.shape}, expected "
                "(E, N, G, 16) and (E, N, G): the file is damaged, get it again"
            )
        count, rows, groups, _ = blocks.shape
        return TensorInfo((count, groups * BLOCK, rows), "MXFP4", blocks.bytes + scales.bytes)

    def load(self) -> Array:
        codes, exponents = self._read()
        codes = codes.reshape(*exponents.shape, BLOCK)
        with np.errstate(over="ignore"):  # whoever codes the values refuses infinite ones
            values = np.ldexp(codes.astype(np.float32), exponents[..., None] - _BIAS)
        count, columns, rows = self.info.shape
        stacked = values.reshape(count, rows, columns).transpose(0, 2, 1)
        return np.ascontiguousarray(stacked, np.float32)

    def quantized(self) -> Quantized | None:
        """Codes (E N, K), of the matrices as they are stored; None where a scale is beyond f16."""
        codes, exponents = self._read()
        blocks = codes.reshape(-1, BLOCK)
        powers = exponents.reshape(-1) - _BIAS
        powers[~blocks.any(axis=1)] = 0  # nothing but zeros
        over = np.clip(powers - _HIGHEST, 0, 3)  # codes of 12 << 3 are still within 127
        powers -= over
        if powers.size and not _LOWEST <= powers.min() <= powers.max() <= _HIGHEST:
            return None
        count, columns, rows = self.info.shape
        shifted = blocks << over[:, None].astype(np.int8)
        scales = np.ldexp(np.float32(1), powers).astype(np.float16)
        shape = (count * rows, columns)
        return Quantized(Q8, shifted.reshape(shape), scales.reshape(shape[0], -1))

    def _read(self) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32]]:
        """Doubled numbers (E, N, G, 32) and exponents (E, N, G)."""
        stored = self._bytes(BLOCKS)
        pairs = np.stack([stored & 15, stored >> 4], axis=-1)
        return TWICE[pairs], self._bytes(SCALES).astype(np.int32)

    def _bytes(self, part: str) -> Bytes:
        tensor = self.files.raw(self.name + part)
        if tensor.element_size() != 1:
            raise CheckpointError(
                f"{self.name}{part} is {str(tensor.dtype).removeprefix('torch.')}, expected uint8: "
                "the file is damaged, get it again"
            )
        stored: Bytes = tensor.view(torch.uint8).numpy()
        return stored


def stacks(files: StoredTensors) -> dict[str, Mxfp4Tensor]:
    """The tensors stored so, by name."""
    known = set(files.names())
    names = [name.removesuffix(BLOCKS) for name in files.names() if name.endswith(BLOCKS)]
    return {name: Mxfp4Tensor(files, name) for name in names if name + SCALES in known}


def parts(name: str) -> list[str]:
    """What a tensor that `stacks` found is made of."""
    return [name + BLOCKS, name + SCALES]
