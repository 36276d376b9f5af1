"""Integer codes with a scale and a zero point for each group of inputs: AWQ, GPTQ, MLC.

A weight (N, K): value = (code - zero) * scale, each of scale and zero (N, G), `groups[k]` being the
group of input k. What such files store is f16 times a small whole number, which f32 holds exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from compiler.bundle.schema import Scheme
from compiler.checkpoint.base import Array, IntArray, TensorInfo
from compiler.errors import CheckpointError
from compiler.quantize import Q4, Q4_ZERO, Q8, Quantized
from compiler.quantize.schemes import GROUP

Codes = npt.NDArray[np.uint8]

_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Grid:
    """What the codes of a weight stand for. Raises CheckpointError for groups out of range."""

    name: str
    bits: int  # of a code: 2, 4 or 8
    scales: Array  # (N, G)
    zeros: IntArray  # (N, G)
    groups: IntArray  # (K,)

    def __post_init__(self) -> None:
        count = self.scales.shape[1]
        if self.groups.size and not 0 <= self.groups.min() <= self.groups.max() < count:
            raise CheckpointError(
                f"{self.name} has inputs of group {self.groups.min()} to {self.groups.max()}, but "
                f"{count} groups of scales: the file is damaged, get it again"
            )

    @cached_property
    def order(self) -> IntArray | None:
        """The inputs, those of a group side by side; None where they are already."""
        if (np.diff(self.groups) >= 0).all():
            return None
        return np.argsort(self.groups, kind="stable").astype(np.int32)

    @cached_property
    def _sorted(self) -> IntArray:
        return self.groups if self.order is None else self.groups[self.order]

    @cached_property
    def scheme(self) -> Scheme | None:
        """The scheme of ours that has these codes; None where there is none."""
        size = self._size()
        finite = np.isfinite(self.scales).all() and np.abs(self.scales).max(initial=0) <= _LARGEST
        middle = bool((self.zeros == 2 ** (self.bits - 1)).all())
        if not size or not finite or (self.bits == 8 and not middle):
            return None
        plain = Q8 if self.bits == 8 else Q4
        return replace(plain if middle and self.bits >= 4 else Q4_ZERO, group=size)

    def _size(self) -> int:
        """Neighbouring inputs in their order that share a scale, a multiple of 32; or 0."""
        columns, count = len(self._sorted), self.scales.shape[1]
        for size in (columns // max(1, count), GROUP):
            if size and columns % size == 0 and size % GROUP == 0:
                blocks = self._sorted.reshape(-1, size)
                if (blocks == blocks[:, :1]).all():
                    return size
        return 0

    @property
    def rounded(self) -> bool:
        """Whether f16 does not hold all scales."""
        return bool((self.scales.astype(np.float16) != self.scales).any())

    def values(self, codes: Codes) -> Array:
        """The f32 values (N, K) of codes (N, K)."""
        values: Array = codes.astype(np.float32)
        values -= self.zeros.astype(np.float32)[:, self.groups]
        values *= self.scales[:, self.groups]
        return values

    def coded(self, codes: Codes) -> Quantized | None:
        """Codes (N, K) in `scheme`, inputs in `order`; None where there is no code of ours."""
        scheme = self.scheme
        if scheme is None or (self.bits == 8 and codes.min(initial=1) == 0):
            return None  # kernels read -128 as -127
        index = self._sorted[:: scheme.group]
        scales = self.scales[:, index].astype(np.float16)
        minimums = -self.zeros[:, index].astype(np.float16) if scheme.has_minimum else None
        own = codes if self.order is None else codes[:, self.order]
        if self.bits == 8:
            own = (own ^ np.uint8(128)).view(np.int8)
        return Quantized(scheme, np.ascontiguousarray(own), scales, minimums)


@dataclass(frozen=True)
class GridTensor:
    """A weight whose grid and codes are read when they are asked for."""

    stored: str
    shape: tuple[int, int]  # (N, K)
    bytes: int
    grid: Callable[[], Grid]
    codes: Callable[[], Codes]

    @cached_property
    def info(self) -> TensorInfo:
        grid = self.grid()
        return TensorInfo(
            self.shape, self.stored, self.bytes, grid.scheme, grid.order, grid.rounded
        )

    def load(self) -> Array:
        return self.grid().values(self.codes())

    def quantized(self) -> Quantized | None:
        return self.grid().coded(self.codes())


def unpack(words: npt.NDArray[np.int32], bits: int) -> Codes:
    """i32 words (..., W) of 32 / bits codes each, the first lowest -> (..., W * 32 / bits)."""
    packed = np.ascontiguousarray(words, "<i4").view(np.uint8)
    if bits == 8:
        return packed
    shifts = range(0, 8, bits)
    mask = np.uint8(2**bits - 1)
    parts = [packed >> np.uint8(shift) & mask for shift in shifts]
    return np.stack(parts, axis=-1).reshape(*words.shape[:-1], -1)
