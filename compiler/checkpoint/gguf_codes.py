"""GGUF's quantized blocks whose codes are, or stand for, codes of ours: carried over unchanged.

A block is 32 values of a row (f16 little endian, byte i of qs, nibble n of value i in the low half
of byte i or, from 16 on, in the high half of byte i - 16)::

    Q8_0    34 bytes  d f16 | qs i8[32]          value i = qs[i] * d
    Q4_0    18 bytes  d f16 | qs u8[16]          value i = (n - 8) * d
    Q4_1    20 bytes  d f16 | m f16 | qs u8[16]  value i = n * d + m
    IQ4_NL  18 bytes  d f16 | qs u8[16]          value i = table[n] * d
    MXFP4   17 bytes  e u8 | qs u8[16]           value i = table[n] * 2^(e - 128)

Types with a table of values become 8-bit codes.
"""

from __future__ import annotations

import gguf
import numpy as np
import numpy.typing as npt
from gguf import quants

from compiler.bundle.schema import Scheme
from compiler.quantize import Q4, Q4_MIN, Q8, Quantized

Type = gguf.GGMLQuantizationType
Bytes = npt.NDArray[np.uint8]

_SCHEMES: dict[Type, Scheme] = {Type.Q4_0: Q4, Type.Q4_1: Q4_MIN, Type.Q8_0: Q8}
_TABLES: dict[Type, tuple[int, ...]] = {
    Type.IQ4_NL: quants.IQ4_NL.kvalues,
    Type.MXFP4: quants.MXFP4.kvalues,
}


def can_carry(kind: Type) -> bool:
    """Whether there are codes of ours for a type, for some blocks at least."""
    return kind in _SCHEMES or kind in _TABLES


def carried(blocks: Bytes, kind: Type) -> Quantized | None:
    """Blocks u8 (N, bytes of a row) as codes (N, K) with their scales, of exactly the same values;
    None for blocks with a code or a scale that we do not have."""
    if kind in _TABLES:
        return _from_table(blocks, kind)
    codes = _unchanged(blocks, _SCHEMES[kind])
    lowest = codes.scheme == Q8 and codes.codes.min(initial=0) == -128  # kernels read it as -127
    return None if lowest else codes


def _unchanged(blocks: Bytes, scheme: Scheme) -> Quantized:
    rows = len(blocks)
    header = 4 if scheme.has_minimum else 2
    grouped = blocks.reshape(rows, -1, header + 4 * scheme.bits)
    numbers = np.ascontiguousarray(grouped[..., :header]).view(np.float16)
    minimums = np.ascontiguousarray(numbers[..., 1]) if scheme.has_minimum else None
    packed = grouped[..., header:]
    codes = np.ascontiguousarray(packed).view(np.int8) if scheme.bits == 8 else _nibbles(packed)
    scales = np.ascontiguousarray(numbers[..., 0])
    return Quantized(scheme, codes.reshape(rows, -1), scales, minimums)


def _from_table(blocks: Bytes, kind: Type) -> Quantized | None:
    rows = len(blocks)
    header = 1 if kind == Type.MXFP4 else 2
    grouped = blocks.reshape(rows, -1, header + 16)
    stored = np.ascontiguousarray(grouped[..., :header])
    if kind == Type.MXFP4:  # a power of two, half of what its table is in
        wide = quants.MXFP4.e8m0_to_fp32_half(stored[..., 0])
        scales = wide.astype(np.float16)
        if (scales != wide).any():
            return None
    else:
        scales = np.ascontiguousarray(stored.view(np.float16)[..., 0])
    table = np.array(_TABLES[kind], np.int8)
    codes = table[_nibbles(grouped[..., header:])]
    return Quantized(Q8, codes.reshape(rows, -1), scales, None)


def _nibbles(packed: Bytes) -> Bytes:
    """The low halves of a block's bytes, then the high ones."""
    return np.concatenate([packed & 0x0F, packed >> 4], axis=-1)
