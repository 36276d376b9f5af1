"""Schemes: f32 weights to codes with scales, and back.

Every function takes a weight (N, K), N output rows of K input values; a group is 32 neighbouring
values of one row, or a multiple of that. Scales and minimums are rounded to f16 before codes are
chosen, so a code makes up for what the rounding of its scale lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from compiler.bundle.schema import Scheme
from compiler.errors import CheckpointError, UnsupportedModelError

F32Array = npt.NDArray[np.float32]
F16Array = npt.NDArray[np.float16]

GROUP = 32
Q4 = Scheme(bits=4, group=GROUP, has_minimum=False)
Q4_MIN = Scheme(bits=4, group=GROUP, has_minimum=True)
Q4_ZERO = Scheme(bits=4, group=GROUP, has_minimum=True, in_scales=True)
Q8 = Scheme(bits=8, group=GROUP, has_minimum=False)
F16 = Scheme(bits=16, group=0, has_minimum=False)
F32 = Scheme(bits=32, group=0, has_minimum=False)

_CODE_TYPE = {4: np.uint8, 8: np.int8, 16: np.float16, 32: np.float32}
_BLOCK_VALUES = 1 << 20  # values per slice of rows: keeps temporaries at a few MB, in cache


@dataclass(frozen=True)
class Quantized:
    """A coded weight (N, K).

    Raises ValueError when an array's shape or type does not fit the scheme.
    """

    scheme: Scheme
    codes: npt.NDArray[Any]  # (N, K): uint8 0..15, int8, or the f16 / f32 values themselves
    scales: F16Array | None = None  # (N, K / group), None for f16 and f32
    minimums: F16Array | None = None  # (N, K / group), None unless the scheme has them

    def __post_init__(self) -> None:
        expected = np.dtype(_CODE_TYPE[self.scheme.bits])
        if self.codes.ndim != 2 or self.codes.dtype != expected:
            raise ValueError(f"codes are {_describe(self.codes)}, expected {expected} (N, K)")
        self._check_groups("scales", self.scales, wanted=self.scheme.group > 0)
        self._check_groups("minimums", self.minimums, wanted=self.scheme.has_minimum)

    def _check_groups(self, what: str, array: F16Array | None, wanted: bool) -> None:
        if array is None and not wanted:
            return
        shape = (self.rows, self.columns // self.scheme.group) if wanted else None
        if array is None or array.shape != shape or array.dtype != np.float16:
            found = "missing" if array is None else _describe(array)
            raise ValueError(f"{what} are {found}, expected {shape} for {self.scheme}")

    @property
    def rows(self) -> int:
        """N, the output features."""
        return int(self.codes.shape[0])

    @property
    def columns(self) -> int:
        """K, the input features."""
        return int(self.codes.shape[1])

    def take_rows(self, index: npt.NDArray[np.intp] | slice) -> Quantized:
        """The rows `index` selects, in its order: (N, K) -> (len(index), K)."""
        return Quantized(
            self.scheme,
            self.codes[index],
            None if self.scales is None else self.scales[index],
            None if self.minimums is None else self.minimums[index],
        )


def concat_rows(parts: Sequence[Quantized]) -> Quantized:
    """Join weights of one scheme: [(N1, K), (N2, K), ...] -> (N1 + N2 + ..., K).

    Raises ValueError for differing schemes or widths, and for an empty list.
    """
    if len({(part.scheme, part.columns) for part in parts}) != 1:
        kinds = [(part.scheme, part.columns) for part in parts]
        raise ValueError(f"only weights of one scheme and width can be joined, not {kinds}")
    scales = [part.scales for part in parts if part.scales is not None]
    minimums = [part.minimums for part in parts if part.minimums is not None]
    return Quantized(
        parts[0].scheme,
        np.concatenate([part.codes for part in parts]),
        np.concatenate(scales) if scales else None,
        np.concatenate(minimums) if minimums else None,
    )


def fallback(scheme: Scheme, columns: int) -> Scheme:
    """The scheme a weight of `columns` input features really gets.

    Groups must fill K. Otherwise f16, whose 16-byte vectors need K % 8 == 0, and else f32.
    """
    if scheme.bits == 32 or (scheme.group > 0 and columns % scheme.group == 0):
        return scheme
    return F16 if columns % 8 == 0 else F32


def quantize(values: F32Array, scheme: Scheme, name: str = "tensor") -> Quantized:
    """Code f32 values (N, K) by `scheme`; `name` is what error messages call them.

    Raises CheckpointError for NaN or infinite values, UnsupportedModelError for values whose
    scale (or which themselves, for f16) lie beyond the range of f16, ValueError for a width that
    is not a whole number of groups.
    """
    if values.ndim != 2 or (scheme.group and values.shape[1] % scheme.group):
        raise ValueError(f"{name} {values.shape} cannot be cut into groups of {scheme.group}")
    rows, columns = values.shape
    groups = (rows, columns // scheme.group) if scheme.group else None
    codes = np.empty((rows, columns), _CODE_TYPE[scheme.bits])
    scales = None if groups is None else np.zeros(groups, np.float16)
    minimums = np.zeros(groups, np.float16) if groups and scheme.has_minimum else None
    for part in _row_slices(rows, columns):
        block = np.asarray(values[part], np.float32)
        _check_finite(block, part.start, name)
        if scales is None:
            codes[part] = block if scheme.bits == 32 else _to_f16(block, name)
            continue
        grouped = block.reshape(-1, columns // scheme.group, scheme.group)
        if minimums is not None:
            code = _code_with_zero if scheme.in_scales else _code_with_minimum
            coded, scales[part], minimums[part] = code(grouped, name)
        elif scheme.bits == 4:
            coded, scales[part] = _code_4bit(grouped, name)
        else:
            coded, scales[part] = _code_8bit(grouped, name)
        codes[part] = coded.reshape(-1, columns)
    return Quantized(scheme, codes, scales, minimums)


def dequantize(weight: Quantized) -> F32Array:
    """The f32 values (N, K) that kernels see."""
    if weight.scales is None:
        return weight.codes.astype(np.float32)
    values = np.empty(weight.codes.shape, np.float32)
    for part in _row_slices(weight.rows, weight.columns):
        block = weight.codes[part].astype(np.float32)
        grouped = block.reshape(-1, weight.columns // weight.scheme.group, weight.scheme.group)
        if weight.scheme.bits == 4 and not weight.scheme.has_minimum:
            grouped -= 8
        if weight.minimums is not None and weight.scheme.in_scales:
            grouped += weight.minimums[part, :, None]
        grouped *= weight.scales[part, :, None]
        if weight.minimums is not None and not weight.scheme.in_scales:
            grouped += weight.minimums[part, :, None]
        values[part] = block
    return values


def _code_with_minimum(grouped: F32Array, name: str) -> tuple[F32Array, F16Array, F16Array]:
    """Groups (n, G, 32) -> codes 0..15, scales and minimums (n, G): the range in 15 steps."""
    minimums = _to_f16(grouped.min(axis=-1), name)
    reach = grouped.max(axis=-1) - minimums
    scales = _to_f16(np.maximum(reach, 0) / np.float32(15), name)
    codes = (grouped - minimums[..., None].astype(np.float32)) * _inverse(scales)[..., None]
    return np.clip(np.rint(codes, out=codes), 0, 15, out=codes), scales, minimums


def _code_with_zero(grouped: F32Array, name: str) -> tuple[F32Array, F16Array, F16Array]:
    """Groups (n, G, 32) -> codes 0..15, scales and negated zero points -15..0 (n, G): the range,
    and 0 in it, in 15 steps."""
    low = np.minimum(grouped.min(axis=-1), 0)
    scales = _to_f16((np.maximum(grouped.max(axis=-1), 0) - low) / np.float32(15), name)
    inverse = _inverse(scales)
    zeros = np.clip(np.rint(low * inverse), -15, 0)
    codes = grouped * inverse[..., None] - zeros[..., None]
    return np.clip(np.rint(codes, out=codes), 0, 15, out=codes), scales, zeros.astype(np.float16)


def _code_4bit(grouped: F32Array, name: str) -> tuple[F32Array, F16Array]:
    """Groups (n, G, 32) -> codes 0..15 and signed scales (n, G).

    As in GGUF's Q4_0 the value of largest magnitude gets code 0, so scale = extreme / -8. The
    other side ends at 7 * scale, half a step short when both sides reach equally far: there the
    scale grows until no value is more than half a step from a code.
    """
    high, low = grouped.max(axis=-1), grouped.min(axis=-1)
    positive = high > -low
    extreme = np.where(positive, high, -low)
    opposite = np.where(positive, -low, high)
    magnitude = np.maximum(extreme / np.float32(8), opposite / np.float32(7.5))
    scales = _to_f16(np.where(positive, -magnitude, magnitude), name)
    codes = grouped * _inverse(scales)[..., None]
    codes = np.rint(codes, out=codes)
    codes += 8
    return np.clip(codes, 0, 15, out=codes), scales


def _code_8bit(grouped: F32Array, name: str) -> tuple[F32Array, F16Array]:
    """Groups (n, G, 32) -> codes -127..127 and scales (n, G), as in GGUF's Q8_0."""
    largest = np.maximum(grouped.max(axis=-1), -grouped.min(axis=-1))
    scales = _to_f16(largest / np.float32(127), name)
    codes = grouped * _inverse(scales)[..., None]
    return np.clip(np.rint(codes, out=codes), -127, 127, out=codes), scales


def _inverse(scales: F16Array) -> F32Array:
    """1 / scale in f32, and 0 where the scale is 0 (groups of zeros, or of nearly nothing)."""
    wide = scales.astype(np.float32)
    return np.divide(1, wide, out=np.zeros_like(wide), where=wide != 0)


def _to_f16(values: F32Array, name: str) -> F16Array:
    """Round to f16; clamping instead of refusing would bend the model without a word."""
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float16)
    if not np.isfinite(rounded).all():
        worst = float(np.abs(values).max())
        raise UnsupportedModelError(
            f"{name} needs the number {worst:.4g}, beyond the range of f16 (65504): "
            "compile with --quantization f32"
        )
    return rounded


def _check_finite(block: F32Array, first_row: int, name: str) -> None:
    bad = ~np.isfinite(block)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise CheckpointError(
            f"{name} holds {block[row, column]} at [{first_row + row}, {column}] "
            f"({int(bad.sum())} such values nearby): get the checkpoint again, it is damaged"
        )


def _row_slices(rows: int, columns: int) -> Iterator[slice]:
    step = max(1, _BLOCK_VALUES // max(1, columns))
    return (slice(start, min(rows, start + step)) for start in range(0, rows, step))


def _describe(array: npt.NDArray[Any]) -> str:
    return f"{array.dtype} {array.shape}"
