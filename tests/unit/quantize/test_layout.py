"""Layouts: bytes written by hand from the drawing in compiler/quantize/layout.py."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.bundle.schema import ALIGN, Scheme, Span
from compiler.quantize import (
    F16,
    F32,
    Q4,
    Q4_MIN,
    Q8,
    Quantized,
    pack,
    pack_plain,
    quantize,
    unpack,
)


def words(weight: Quantized, part: str) -> list[int]:
    """The u32 words of one part of a packed weight."""
    packed = pack(weight)
    span = packed.parts[part]
    return packed.data[span.offset : span.offset + span.bytes].view("<u4").tolist()


def half(value: float) -> int:
    """The bits of a number as f16."""
    return int(np.float16(value).view(np.uint16))


def test_four_bit_codes_by_hand() -> None:
    codes = np.zeros((2, 64), np.uint8)
    codes[0, :8] = [0x0, 0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7]
    codes[1, 24:32] = [0xF, 0xE, 0xD, 0xC, 0xB, 0xA, 0x9, 0x8]
    codes[0, 63] = 0x9
    scales = np.ones((2, 2), np.float16)
    expected = [0] * 16  # [2 vectors][2 rows][4 words]
    expected[0] = 0x73625140  # vector 0, row 0, word 0: bytes 40 51 62 73
    expected[7] = 0x8C9DAEBF  # vector 0, row 1, word 3
    expected[11] = 0x90000000  # vector 1, row 0, word 3: value 8w + 7 in the top nibble
    assert words(Quantized(Q4, codes, scales), "codes") == expected


def test_eight_bit_codes_by_hand() -> None:
    codes = np.zeros((3, 32), np.int8)
    codes[1, :4] = [1, -1, 127, -127]
    codes[2, 28:] = [-2, 0, 0, 3]
    expected = [0] * 24  # [2 vectors][3 rows][4 words]
    expected[4] = 0x817FFF01
    expected[23] = 0x030000FE
    assert words(Quantized(Q8, codes, np.ones((3, 1), np.float16)), "codes") == expected


def test_plain_codes_by_hand_with_padding() -> None:
    values = np.array([[1.0, -2.0, 0.5], [0.25, 0, 4.0]])
    expected = [half(1) | half(-2) << 16, half(0.5), 0, 0, half(0.25), half(4), 0, 0]
    assert words(Quantized(F16, values.astype(np.float16)), "codes") == expected
    bits = values.astype(np.float32).view(np.uint32)
    expected = [*bits[0].tolist(), 0, *bits[1].tolist(), 0]
    assert words(Quantized(F32, values.astype(np.float32)), "codes") == expected


def test_scales_with_minimum_by_hand() -> None:
    scales = np.array([[1, 2], [3, 4], [5, 6]], np.float16)
    minimums = -scales
    weight = Quantized(Q4_MIN, np.zeros((3, 64), np.uint8), scales, minimums)
    expected = [half(value) | half(-value) << 16 for value in (1, 3, 5, 2, 4, 6)]
    assert words(weight, "scales") == expected


def test_scales_without_minimum_by_hand() -> None:
    scales = np.array([[1, 2], [3, 4], [5, 6]], np.float16)
    for scheme, codes in ((Q4, np.uint8), (Q8, np.int8)):
        weight = Quantized(scheme, np.zeros((3, 64), codes), scales)
        expected = [half(1) | half(3) << 16, half(5), half(2) | half(4) << 16, half(6)]
        assert words(weight, "scales") == expected


def test_parts_start_at_multiples_of_align() -> None:
    packed = pack(quantize(np.ones((3, 32), np.float32), Q4_MIN))
    assert packed.parts == {"codes": Span("", 0, 48), "scales": Span("", ALIGN, 12)}
    assert packed.data.nbytes == ALIGN + 12
    assert not packed.data[48:ALIGN].any()


@pytest.mark.parametrize("scheme", [Q4, Q4_MIN, Q8, F16, F32], ids=str)
@pytest.mark.parametrize("rows", [1, 7, 5000])  # 5000 rows do not fit one packing slice
def test_round_trip(scheme: Scheme, rows: int) -> None:
    values = np.random.default_rng(rows).standard_normal((rows, 1056), dtype=np.float32)
    weight = quantize(values, scheme)
    packed = pack(weight)
    back = unpack(packed.data, packed.parts, scheme, rows)
    np.testing.assert_array_equal(back.codes, weight.codes)
    for ours, theirs in ((back.scales, weight.scales), (back.minimums, weight.minimums)):
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            np.testing.assert_array_equal(ours, theirs)


def test_plain_keeps_c_order() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    packed = pack_plain(array)
    assert packed.parts == {"values": Span("", 0, 24)}
    assert packed.data.view("<f4").tolist() == [0, 3, 1, 4, 2, 5]
