"""Layouts: a coded weight as the bytes that kernels read.

Layout `blocked`, of a weight (N, K) with b bits per code. One 16-byte vector (`vec4<u32>`) holds
kpv = 128 / b neighbouring values of one row: 32, 16, 8 or 4. Rows lie side by side, so that the
threads of neighbouring rows read neighbouring vectors. K is padded with zeros to a multiple of
kpv. Two parts, each starting at a multiple of ALIGN bytes:

`codes`, u32 [K / kpv][N][4]: vector (v, n) holds values v * kpv .. v * kpv + kpv - 1 of row n,
in words w = 0..3 (value numbers count from the vector's first)::

    bit      31   28 27   24 23   20 19   16 15   12 11    8 7     4 3     0
    4 bits  | 8w+7  | 8w+3  | 8w+6  | 8w+2  | 8w+5  | 8w+1  | 8w+4  | 8w    |
    8 bits  |     4w+3      |     4w+2      |     4w+1      |     4w        |  two's complement
    f16     |             2w+1              |             2w                |
    f32     |                               w                               |

(4 bits: `word & 0x0F0F0F0F` is values 8w..8w+3, `word >> 4 & 0x0F0F0F0F` values 8w+4..8w+7.)

`scales`, quantized schemes only, groups of G = 32 or a multiple::

    with minimum      u32 [K / G][N]       | 31 minimum f16 16 | 15 scale f16 0 |
    without           u32 [K / G][Np / 2]  | 31 row 2i + 1  16 | 15 row 2i    0 |   scales f16

Np is N rounded up to even; the missing row is zero.

Layout `plain`: the single part `values`, f32 in C order. All words are little endian.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from compiler.bundle.schema import ALIGN, Scheme, Span
from compiler.quantize.schemes import F16Array, F32Array, Quantized

Bytes = npt.NDArray[np.uint8]

_VECTOR = np.dtype("V16")  # one vec4<u32>, moved as a whole
_VECTOR_BYTES = 16
_STORED = {4: "u1", 8: "i1", 16: "<f2", 32: "<f4"}
_BLOCK_BYTES = 1 << 22  # rows packed at a time, so that temporaries stay at a few MB


@dataclass(frozen=True)
class Packed:
    """The bytes of one weight."""

    data: Bytes  # one dimension
    parts: dict[str, Span]  # name -> where in `data`; Span.file is ""


def pack(weight: Quantized) -> Packed:
    """Lay a weight (N, K) out as `blocked`."""
    rows, columns = weight.rows, weight.columns
    packed = _allocate(*blocked_parts(weight.scheme, rows, columns))
    vectors = _vectors(weight.scheme, columns)
    codes = _part(packed.data, packed.parts["codes"]).view(_VECTOR).reshape(vectors, rows)
    step = max(1, _BLOCK_BYTES // max(1, columns * weight.codes.itemsize))
    for start in range(0, rows, step):
        part = slice(start, start + step)
        codes[:, part] = _to_vectors(weight.codes[part], weight.scheme, vectors).T
    if weight.scales is not None:
        scales = _part(packed.data, packed.parts["scales"])
        _write_scales(scales, weight.scales, weight.minimums)
    return packed


def blocked_parts(scheme: Scheme, rows: int, columns: int) -> tuple[int, dict[str, Span]]:
    """Bytes of a weight (rows, columns) in layout `blocked`, and where its parts lie in them."""
    sizes = {"codes": _vectors(scheme, columns) * rows * _VECTOR_BYTES}
    if scheme.group:
        width = rows * 2 if scheme.has_minimum else rows + rows % 2
        sizes["scales"] = columns // scheme.group * width * 2
    return _place(sizes)


def unpack(data: Bytes, parts: Mapping[str, Span], scheme: Scheme, rows: int) -> Quantized:
    """The inverse of `pack`. Padding stays: K comes back as a multiple of 128 / bits."""
    codes = _part(data, parts["codes"]).view(_VECTOR).reshape(-1, rows)
    values = _from_vectors(np.ascontiguousarray(codes.T), scheme)
    if scheme.group == 0:
        return Quantized(scheme, values)
    scales = _part(data, parts["scales"]).view("<f2").reshape(values.shape[1] // scheme.group, -1)
    if not scheme.has_minimum:
        return Quantized(scheme, values, np.ascontiguousarray(scales[:, :rows].T))
    pairs = scales.reshape(-1, rows, 2)
    return Quantized(
        scheme, values, *(np.ascontiguousarray(pairs[..., which].T) for which in (0, 1))
    )


def pack_plain(array: F32Array) -> Packed:
    """Lay an f32 array of any shape out as `plain`."""
    data = np.ascontiguousarray(array, "<f4").reshape(-1).view(np.uint8)
    return Packed(data, {"values": Span("", 0, data.nbytes)})


def _vectors(scheme: Scheme, columns: int) -> int:
    """Vectors that a row of `columns` values takes."""
    return -(-columns * scheme.bits // 128)


def _to_vectors(codes: npt.NDArray[np.generic], scheme: Scheme, vectors: int) -> Bytes:
    """Codes (n, K) -> one vector each kpv values: V16 (n, vectors)."""
    padding = vectors * 128 // scheme.bits - codes.shape[1]
    stored = np.ascontiguousarray(codes, _STORED[scheme.bits])
    if padding:
        stored = np.pad(stored, ((0, 0), (0, padding)))
    if scheme.bits == 4:
        halves = stored.view("<u4").reshape(len(stored), vectors * 4, 2)
        stored = halves[..., 0] | halves[..., 1] << np.uint32(4)
    return stored.view(_VECTOR)


def _from_vectors(vectors: Bytes, scheme: Scheme) -> npt.NDArray[np.generic]:
    """V16 (n, vectors) -> codes (n, K)."""
    if scheme.bits != 4:
        return vectors.view(_STORED[scheme.bits])
    words = vectors.view("<u4")
    halves = np.stack([words & 0x0F0F0F0F, words >> 4 & 0x0F0F0F0F], axis=-1)
    return halves.reshape(len(words), -1).view(np.uint8)


def _write_scales(out: Bytes, scales: F16Array, minimums: F16Array | None) -> None:
    """Scales (and minimums) (N, G) -> u32 words with the group as the outer axis."""
    rows, groups = scales.shape
    halves = out.view("<f2").reshape(groups, -1)
    if minimums is None:
        halves[:, :rows] = scales.T
    else:
        halves[:, 0::2] = scales.T
        halves[:, 1::2] = minimums.T


def _place(sizes: Mapping[str, int]) -> tuple[int, dict[str, Span]]:
    """The named parts one after the other, each from a multiple of ALIGN; all their bytes."""
    parts: dict[str, Span] = {}
    end = 0
    for name, size in sizes.items():
        start = -(-end // ALIGN) * ALIGN
        parts[name] = Span("", start, size)
        end = start + size
    return end, parts


def _allocate(size: int, parts: dict[str, Span]) -> Packed:
    return Packed(np.zeros(size, np.uint8), parts)


def _part(data: Bytes, span: Span) -> Bytes:
    return data[span.offset : span.offset + span.bytes]
