"""Schemes: error bounds, hand-worked codes, the gguf library as oracle, refusals."""

from __future__ import annotations

import gguf
import numpy as np
import pytest

from compiler.bundle.schema import Scheme
from compiler.errors import CheckpointError, UnsupportedModelError
from compiler.quantize import (
    F16,
    F32,
    Q4,
    Q4_MIN,
    Q8,
    Quantized,
    concat_rows,
    dequantize,
    fallback,
    quantize,
)

GROUPED = [Q4, Q4_MIN, Q8]


def weight(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """Rows of very different sizes: each is normal noise times 10**-4 .. 10**3."""
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((rows, columns), dtype=np.float32)
    return values * np.float32(10) ** generator.uniform(-4, 3, (rows, 1)).astype(np.float32)


def assert_within(actual: np.ndarray, expected: np.ndarray, bound: np.ndarray) -> None:
    """Every value within its own bound; names the worst one otherwise."""
    excess = np.abs(actual.astype(np.float64) - expected) - bound
    worst = np.unravel_index(excess.argmax(), excess.shape)
    assert excess[worst] <= 0, (
        f"at {worst}: expected {expected[worst]}, got {actual[worst]}, bound {bound[worst]}"
    )


@pytest.mark.parametrize("scheme", GROUPED, ids=str)
@pytest.mark.parametrize("shape", ["normal", "positive", "negative", "skewed"])
def test_error_is_at_most_half_a_step(scheme: Scheme, shape: str) -> None:
    values = weight(40, 320)
    if shape == "skewed":  # both sides of a group reach equally far: the worst case of Q4
        values[:, ::32], values[:, 1::32] = 9, -9
    elif shape != "normal":
        values = np.abs(values) * (1 if shape == "positive" else -1)
    coded = quantize(values, scheme)
    assert coded.scales is not None
    step = np.repeat(np.abs(coded.scales.astype(np.float64)), 32, axis=1)
    # f16 has 11 significant bits and 2**-24 as its smallest step. A scale rounded down moves the
    # last of at most 2**bits codes by that often half an f16 step; a minimum by half of its own.
    largest = np.repeat(np.abs(values).reshape(40, 10, 32).max(axis=-1), 32, axis=1)
    rounding = (2**scheme.bits) * (step * 2.0**-12 + 2.0**-25)
    if scheme.has_minimum:
        rounding += largest * 2.0**-12 + 2.0**-25
    assert_within(dequantize(coded), values, step / 2 + rounding + largest * 1e-6)


def test_hand_worked_groups() -> None:
    values = np.zeros((1, 32), np.float32)
    values[0, :4] = [-4, 3, 0.5, 0.26]
    coded = quantize(values, Q4)  # scale -4 / -8
    assert coded.scales is not None
    assert coded.scales.tolist() == [[0.5]]
    assert coded.codes[0, :5].tolist() == [0, 14, 9, 9, 8]
    coded = quantize(-values, Q4)  # the sign of the extreme goes into the scale
    assert coded.scales is not None
    assert coded.scales.tolist() == [[-0.5]]
    assert coded.codes[0, :5].tolist() == [0, 14, 9, 9, 8]
    values[0, 1] = 11
    coded = quantize(values, Q4_MIN)
    assert coded.scales is not None
    assert coded.minimums is not None
    assert (coded.scales.tolist(), coded.minimums.tolist()) == ([[1.0]], [[-4.0]])
    assert coded.codes[0, :5].tolist() == [0, 15, 4, 4, 4]
    values[0, 1] = -127
    coded = quantize(values, Q8)
    assert coded.scales is not None
    assert coded.scales.tolist() == [[1.0]]
    assert coded.codes[0, :4].tolist() == [-4, -127, 0, 0]


@pytest.mark.parametrize("scheme", GROUPED, ids=str)
def test_zeros_constants_and_tiny_values(scheme: Scheme) -> None:
    values = np.zeros((4, 64), np.float32)
    values[1], values[2], values[3] = 0.75, 1e-12, -3
    decoded = dequantize(quantize(values, scheme))
    assert (decoded[0] == 0).all()
    assert (decoded[2] == 0).all()  # its scale is below the smallest f16
    np.testing.assert_allclose(decoded[[1, 3]], values[[1, 3]], rtol=2**-10)


@pytest.mark.parametrize("scheme", GROUPED, ids=str)
def test_codes_survive_a_round_trip(scheme: Scheme) -> None:
    once = dequantize(quantize(weight(8, 64), scheme))
    again = dequantize(quantize(once, scheme))
    largest = np.abs(once).max(axis=1, keepdims=True).astype(np.float64)
    assert_within(again, once, np.broadcast_to(largest * 2.0**-10, once.shape))


@pytest.mark.parametrize(
    ("kind", "scheme"), [("Q4_0", Q4), ("Q4_1", Q4_MIN), ("Q8_0", Q8)], ids=lambda x: str(x)
)
def test_gguf_reads_our_codes_the_same(kind: str, scheme: Scheme) -> None:
    coded = quantize(weight(6, 96), scheme)
    assert coded.scales is not None
    groups = coded.codes.reshape(6, 3, 32)
    if scheme.bits == 4:  # GGUF: value j in the low nibble of byte j, value 16 + j in the high
        groups = groups[..., :16] | groups[..., 16:] << 4
    parts = [coded.scales[..., None].view(np.uint8)]
    if coded.minimums is not None:
        parts.append(coded.minimums[..., None].view(np.uint8))
    blocks = np.concatenate([*parts, groups.view(np.uint8)], axis=-1)
    expected = gguf.dequantize(blocks.reshape(6, -1), gguf.GGMLQuantizationType[kind])
    np.testing.assert_array_equal(dequantize(coded), expected)


def test_errors_are_no_larger_than_ggufs_own_quantizer() -> None:
    values = weight(32, 256)
    for kind, scheme in {"Q4_0": Q4, "Q4_1": Q4_MIN, "Q8_0": Q8}.items():
        type_ = gguf.GGMLQuantizationType[kind]
        theirs = gguf.dequantize(gguf.quantize(values, type_), type_)
        ours = dequantize(quantize(values, scheme))
        worst = [np.abs(each - values).max(axis=1) for each in (ours, theirs)]
        assert (worst[0] <= worst[1] * 1.01).all(), (kind, worst)


def test_plain_schemes_keep_values() -> None:
    values = weight(3, 10)
    np.testing.assert_array_equal(dequantize(quantize(values, F32)), values)
    half = dequantize(quantize(values, F16))
    np.testing.assert_array_equal(half, values.astype(np.float16).astype(np.float32))


def test_rows_are_taken_and_joined_with_their_scales() -> None:
    for scheme in (*GROUPED, F16):
        coded = quantize(weight(6, 64), scheme)
        order = np.array([4, 0, 5])
        joined = concat_rows([coded.take_rows(order), coded.take_rows(slice(1, 3))])
        expected = dequantize(coded)[[4, 0, 5, 1, 2]]
        np.testing.assert_array_equal(dequantize(joined), expected)
    with pytest.raises(ValueError, match="one scheme and width"):
        concat_rows([quantize(weight(2, 64), Q4), quantize(weight(2, 64), Q8)])


def test_fallback_by_width() -> None:
    assert fallback(Q4, 576) == Q4
    assert fallback(Q8, 40) == F16
    assert fallback(F16, 40) == F16
    assert fallback(Q4_MIN, 42) == F32
    assert fallback(F32, 40) == F32


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_damaged_values_are_named(bad: float) -> None:
    values = weight(3, 64)
    values[2, 7] = bad
    for scheme in (*GROUPED, F16, F32):
        with pytest.raises(CheckpointError, match=r"lm_head.*\[2, 7\]"):
            quantize(values, scheme, name="lm_head")


@pytest.mark.parametrize("scheme", [*GROUPED, F16], ids=str)
def test_values_beyond_f16_are_refused(scheme: Scheme) -> None:
    values = np.full((1, 32), -1e8, np.float32)
    with pytest.raises(UnsupportedModelError, match=r"lm_head.*--quantization f32"):
        quantize(values, scheme, name="lm_head")


def test_arrays_must_fit_their_scheme() -> None:
    with pytest.raises(ValueError, match="groups of 32"):
        quantize(weight(2, 40), Q4)
    coded = quantize(weight(2, 64), Q4_MIN)
    with pytest.raises(ValueError, match="minimums are missing"):
        Quantized(Q4_MIN, coded.codes, coded.scales)
    with pytest.raises(ValueError, match="codes are uint8"):
        Quantized(Q8, coded.codes, coded.scales)
    with pytest.raises(ValueError, match="scales are float16"):
        Quantized(Q4, coded.codes, np.zeros((2, 3), np.float16))
