"""Self-tests: made-up inputs, answers from NumPy, which kernels are asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from compiler.bundle import schema
from compiler.bundle.schema import Kernel, Scheme
from compiler.kernels.dsl import KernelFunction
from compiler.kernels.sets import WASM, WEBGPU
from compiler.kernels.specs import Attend, CacheShape, Linear
from compiler.lower.kernel_files import KernelFiles
from compiler.lower.launches import Launch, Listing
from compiler.lower.selftest import POSITION, content, pcg_hash, self_tests
from compiler.quantize import schemes

ATTEND = Attend(1, 4, CacheShape(64, 2, 16), 0.25, 0, 0.0)


def floats(given: schema.TestInput) -> np.ndarray:
    return content(given).view(np.float32).astype(np.float64)


def halves(given: schema.TestInput) -> np.ndarray:
    return content(given).view(np.float16).astype(np.float64)


def listing(*specs: Linear | Attend) -> Listing:
    launches = []
    for spec in specs:
        kernel = WASM.linear(spec) if isinstance(spec, Linear) else WASM.attend(spec)
        launches.append(Launch(kernel, (), None, spec))
    return Listing(1, launches)


def files(*listings: Listing) -> KernelFiles:
    kernels: list[KernelFunction] = [x.kernel for one in listings for x in one.launches]
    records = [Kernel(k.name, k.name, 0, 0, [1, 1, 1], 0, []) for k in kernels]
    index = {kernel: i for i, kernel in enumerate(kernels)}
    return KernelFiles(records, [k.arguments for k in kernels], index, {})


# The same numbers stand in the browser's test of its own generator.
def test_the_hash_is_pcgs() -> None:
    values = np.array([0, 1, 2, 42, 0xFFFFFFFF], np.uint32)
    expected = [129708002, 2831084092, 2055130248, 1223963391, 3861530882]
    assert pcg_hash(values).tolist() == expected


def test_content_is_given_words_then_masked_hashes() -> None:
    made = content(schema.TestInput(16, 0x80000001, 0x007FFFFF, 0x3F800000, [7]))
    hashed = pcg_hash(np.array([1, 2, 3], np.uint32) ^ np.uint32(0x80000001))
    assert made.tolist() == [7, *((hashed & 0x007FFFFF) | 0x3F800000).tolist()]


def test_the_smallest_plain_products_and_attention_are_asked() -> None:
    gated = Linear(1, 8, 32, schemes.Q4, gated=True, activation="silu")
    small, large = Linear(1, 8, 64, schemes.Q4), Linear(1, 64, 64, schemes.Q4)
    decode = listing(gated, large, small, ATTEND)
    prompt = replace(ATTEND, rows=32)
    prefill = listing(Linear(32, 64, 64, schemes.Q4), Linear(32, 8, 64, schemes.Q4), prompt)
    table = files(decode, prefill)
    tests = self_tests({"decode": decode, "prefill_32": prefill}, table)
    names = [table.kernels[test.kernel].name for test in tests]
    assert names == ["linear_q4_1x8x64", "linear_q4_32x8x64", "attend_1x4x16", "attend_32x4x16"]


@pytest.mark.parametrize(
    "scheme",
    [
        schemes.Q4,
        schemes.Q4_MIN,
        schemes.Q4_ZERO,
        replace(schemes.Q4_MIN, group=64),
        schemes.Q8,
        schemes.F16,
        schemes.F32,
    ],
)
def test_the_answer_of_a_product(scheme: Scheme) -> None:
    """Decoded here from the documented layout, value by value."""
    spec = Linear(1, 6, 64, scheme, bias=True, residual=True)
    decode = listing(spec)
    (test,) = self_tests({"decode": decode}, files(decode))
    inputs = dict(zip(WASM.linear(spec).arguments, test.inputs, strict=True))
    weight = decoded(scheme, inputs, spec.width, spec.columns)
    expected = floats(inputs["x"]) @ weight.T + floats(inputs["bias"]) + floats(inputs["residual"])
    assert test.stride == 1
    assert test.output == list(inputs).index("out")
    np.testing.assert_allclose(test.expected, expected, rtol=1e-6, atol=1e-6)
    assert np.abs(expected).max() < 100  # of a size at which the tolerance means something


def test_no_weight_has_the_code_that_kernels_read_otherwise() -> None:
    spec = Linear(1, 576, 1536, schemes.Q8)
    decode = listing(spec)
    (test,) = self_tests({"decode": decode}, files(decode))
    codes = dict(zip(WASM.linear(spec).arguments, test.inputs, strict=True))["codes"]
    assert content(codes).view("i1").min() == -127


def test_numbers_of_many_columns_are_looked_at() -> None:
    spec = Linear(128, 576, 64, schemes.Q4)
    decode, prefill = listing(), listing(spec)
    (test,) = self_tests({"decode": decode, "prefill_128": prefill}, files(prefill))
    seen = np.arange(len(test.expected)) * test.stride
    assert len(seen) <= 32
    assert seen[-1] < 128 * 576
    assert len(set(seen % 576)) == len(seen)


def decoded(
    scheme: Scheme, inputs: dict[str, schema.TestInput], rows: int, columns: int
) -> np.ndarray:
    if scheme.bits == 32:
        quads = floats(inputs["codes"]).reshape(columns // 4, rows, 4)
        return quads.transpose(1, 0, 2).reshape(rows, columns)
    if scheme.bits == 16:
        octets = halves(inputs["codes"]).reshape(columns // 8, rows, 8)
        return octets.transpose(1, 0, 2).reshape(rows, columns)
    words = content(inputs["codes"]).reshape(columns * scheme.bits // 128, rows, 4)
    codes = np.zeros((rows, columns))
    for column in range(columns):
        vector, value = divmod(column, 128 // scheme.bits)
        if scheme.bits == 8:
            word, byte = divmod(value, 4)
            codes[:, column] = (words[vector, :, word] >> (8 * byte)).astype(np.uint8).view("i1")
        else:
            word, place = divmod(value, 8)
            shift = 8 * (place % 4) + 4 * (place // 4)
            codes[:, column] = (words[vector, :, word] >> shift) & 15
    scales = halves(inputs["scales"]).reshape(columns // scheme.group, rows, -1)
    scale = scales[..., 0].T.repeat(scheme.group, 1)
    if scheme.has_minimum:
        minimum = scales[..., 1].T.repeat(scheme.group, 1)
        return codes * scale + minimum * (scale if scheme.in_scales else 1)
    return (codes - (8 if scheme.bits == 4 else 0)) * scale


@pytest.mark.parametrize("splits", [1, 3])
def test_the_answer_of_attention(splits: int) -> None:
    """All of it is the first split's."""
    spec = replace(ATTEND, splits=splits)
    kernel = WEBGPU.attend(spec)
    decode = Listing(1, [Launch(kernel, (), None, spec)])
    (test,) = self_tests({"decode": decode}, files(decode))
    inputs = dict(zip(kernel.arguments, test.inputs, strict=True))
    assert inputs["out"].bytes == splits * 4 * 16 * 4
    query = floats(inputs["query"]).reshape(4, 16)
    cache = floats(inputs["kv"]).reshape(POSITION + 1, 2, 2, 16)
    scores = np.einsum("hd,phd->hp", query, cache[:, 0].repeat(2, 1)) * ATTEND.scale
    weights = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    expected = np.einsum("hp,phd->hd", weights, cache[:, 1].repeat(2, 1)).reshape(-1)
    np.testing.assert_allclose(test.expected, expected[:: test.stride], rtol=1e-5)
    assert len(test.expected) == 22  # every third of 64: every second would see even ones alone


def test_other_bits_give_other_answers() -> None:
    """A kernel that read the wrong operand, or none, could not pass."""
    decode = listing(Linear(1, 64, 64, schemes.Q4_MIN))
    (test,) = self_tests({"decode": decode}, files(decode))
    spread = np.std(test.expected)
    assert spread > 100 * test.tolerance
