"""Known answers: a few of a plan's own kernels on made-up input, for devices whose drivers lie.

The answers come from plain NumPy (compiler/kernels/reference.py), never from the kernels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import gcd, prod

import numpy as np
import numpy.typing as npt

from compiler.bundle.schema import CONTROL_SLOTS, Control, Scheme, SelfTest, Span, TestInput
from compiler.kernels import reference
from compiler.kernels.dsl import KernelFunction
from compiler.kernels.specs import Attend, Linear
from compiler.lower.kernel_files import KernelFiles
from compiler.lower.launches import Listing
from compiler.quantize.layout import unpack
from compiler.quantize.schemes import dequantize

EXPECTED = 32  # numbers looked at, at most
# Of attention's first token: what a device sees of these positions fits one split of any kernel,
# whatever their number, and with the rest of a prompt's chunk more than one block of positions.
POSITION = 50

# What random bits keep and what is fixed, so that they are numbers of a sensible size.
SIGNED = (0x807FFFFF, 0x3F000000)  # f32: 0.5 to 1, of either sign
WEIGHTS = (0x807FFFFF, 0x3D000000)  # f32: 1/32 to 1/16, of either sign
HALVES = (0x83FF83FF, 0x2C002C00)  # f16s: 1/16 to 1/8, of either sign
SIGNED_HALVES = (0x83FF83FF, 0x38003800)  # f16s: 0.5 to 1, of either sign
SCALES = (0x03FF03FF, 0x1C001C00)  # f16s: 1/256 to 1/128
BYTES = (0xFEFEFEFE, 0x01010101)  # signed bytes but -128, which no weight has
ANY = (0xFFFFFFFF, 0)
ZERO = (0, 0)


def self_tests(
    listings: Mapping[str, Listing], files: KernelFiles, *, half: bool = False
) -> list[SelfTest]:
    """The smallest plain matrix product and the attention of decode and of prefill, or of an
    embedder's first function. With `half`, products are in half precision."""
    kinds = ("decode", "prefill_", "embed_")
    found_of = [[x for name, x in listings.items() if name.startswith(kind)] for kind in kinds]
    asked = [listing for found in found_of for listing in found[:1]]
    chosen = [find(listing) for find in (_smallest, _attention) for listing in asked]
    return [_test(*found, files, half) for found in chosen if found is not None]


def pcg_hash(values: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """The PCG hash of Jarzynski and Olano (JCGT 9(3), 2020)."""
    state = values * np.uint32(747796405) + np.uint32(2891336453)
    shift = (state >> np.uint32(28)) + np.uint32(4)
    word: npt.NDArray[np.uint32] = ((state >> shift) ^ state) * np.uint32(277803737)
    return (word >> np.uint32(22)) ^ word


def content(given: TestInput) -> npt.NDArray[np.uint32]:
    """The words of a binding, as the schema describes them."""
    words = pcg_hash(np.arange(given.bytes // 4, dtype=np.uint32) ^ np.uint32(given.seed))
    words = (words & np.uint32(given.keep)) | np.uint32(given.fixed)
    words[: len(given.words)] = given.words
    return words


Spec = Linear | Attend


def _smallest(listing: Listing) -> tuple[KernelFunction, Spec] | None:
    plain = [
        (launch.kernel, launch.spec)
        for launch in listing.launches
        if isinstance(launch.spec, Linear) and not launch.spec.gated
        if launch.spec.activation == "none" and launch.spec.prologue.empty
    ]
    return min(plain, key=lambda found: found[1].width * found[1].columns, default=None)


def _attention(listing: Listing) -> tuple[KernelFunction, Spec] | None:
    found = ((x.kernel, x.spec) for x in listing.launches if isinstance(x.spec, Attend))
    return next(found, None)


def _test(kernel: KernelFunction, spec: Spec, files: KernelFiles, half: bool) -> SelfTest:
    inputs = _linear_inputs(spec) if isinstance(spec, Linear) else _attend_inputs(spec)
    contents = {name: content(given) for name, given in inputs.items()}
    if isinstance(spec, Linear):
        answer, terms = _linear_answer(spec, contents), spec.columns
    else:
        answer = _attend_answer(spec, contents)
        terms = max(spec.cache.depth, POSITION + spec.rows)
    index = files.index[kernel]
    names = files.arguments[index]
    flat = answer.reshape(-1)
    stride = _stride(flat.size, answer.shape[-1])
    return SelfTest(
        kernel=index,
        grid=list(kernel.grid),
        inputs=[inputs[name] for name in names],
        output=names.index("out"),
        stride=stride,
        expected=[float(np.float32(value)) for value in flat[::stride]],
        tolerance=_tolerance(terms, half and isinstance(spec, Linear) and spec.scheme.bits < 32),
    )


def _stride(size: int, width: int) -> int:
    """Between numbers that are looked at: at most EXPECTED of them, in columns of all kinds."""
    stride = -(-size // EXPECTED)
    while gcd(stride, width) > 1:
        stride += 1
    return stride


def _tolerance(terms: int, half: bool) -> float:
    """A sum of f32 products in any order is off by at most terms x epsilon of their magnitudes. In
    f16 that would allow anything: there, what rounding at random comes to, many times over."""
    if half:
        return float(4 * np.finfo(np.float16).eps * np.sqrt(terms))
    return float(4 * np.finfo(np.float32).eps * terms)


def _input(size: int, kind: tuple[int, int], seed: int, words: Iterable[int] = ()) -> TestInput:
    return TestInput(size, seed, *kind, list(words))


def _linear_inputs(spec: Linear) -> dict[str, TestInput]:
    rows, columns, scheme = spec.width, spec.columns, spec.scheme
    vectors = -(-columns * scheme.bits // 128)
    codes = {8: BYTES, 16: HALVES, 32: WEIGHTS}.get(scheme.bits, ANY)
    control = [0] * CONTROL_SLOTS
    control[Control.COUNT] = spec.rows
    return {
        "x": _input(spec.rows * columns * 4, SIGNED, 1),
        "codes": _input(vectors * rows * 16, codes, 2),
        "scales": _input(_scale_bytes(scheme, rows, columns), SCALES, 3),
        "bias": _input(rows * 4, SIGNED, 4),
        "residual": _input(spec.rows * rows * 4, SIGNED, 5),
        "out": _input(spec.rows * rows * 4, ZERO, 0),
        "control": _input(CONTROL_SLOTS * 4, ZERO, 0, control),
    }


def _scale_bytes(scheme: Scheme, rows: int, columns: int) -> int:
    if scheme.group == 0:
        return 0
    width = rows * 2 if scheme.has_minimum else rows + rows % 2
    return -(-columns // scheme.group) * width * 2


def _linear_answer(
    spec: Linear, contents: Mapping[str, npt.NDArray[np.uint32]]
) -> npt.NDArray[np.float64]:
    codes, scales = (contents[name].view(np.uint8) for name in ("codes", "scales"))
    data = np.concatenate([codes, scales])
    parts = {
        "codes": Span("", 0, codes.size),
        "scales": Span("", codes.size, scales.size),
    }
    weight = dequantize(unpack(data, parts, spec.scheme, spec.width))[:, : spec.columns]

    def floats(name: str, *shape: int) -> npt.NDArray[np.float64]:
        return contents[name].view(np.float32).astype(np.float64).reshape(shape)

    return reference.linear(
        floats("x", spec.rows, spec.columns),
        weight.astype(np.float64),
        floats("bias", spec.width) if spec.bias else None,
        floats("residual", spec.rows, spec.width) if spec.residual else None,
    )


def _attend_inputs(spec: Attend) -> dict[str, TestInput]:
    query = prod((spec.rows, spec.heads, spec.cache.depth)) * 4
    cached = SIGNED if spec.cache.bytes == 4 else SIGNED_HALVES
    control = [0] * CONTROL_SLOTS
    control[Control.POSITION], control[Control.COUNT] = POSITION, spec.rows
    control[Control.CONTEXT] = POSITION + spec.rows
    return {
        "query": _input(query, SIGNED, 1),
        "kv": _input((POSITION + spec.rows) * spec.cache.bytes_per_token, cached, 2),
        "control": _input(CONTROL_SLOTS * 4, ZERO, 0, control),
        "out": _input(query * spec.splits, ZERO, 0),
        "log_sums": _input(spec.splits * spec.heads * 4, ZERO, 0),
    }


def _attend_answer(
    spec: Attend, contents: Mapping[str, npt.NDArray[np.uint32]]
) -> npt.NDArray[np.float64]:
    """Of several splits, the first one's, which sees all positions."""
    depth, kv_heads = spec.cache.depth, spec.cache.kv_heads
    stored = np.float32 if spec.cache.bytes == 4 else np.float16
    query = contents["query"].view(np.float32).astype(np.float64)
    cache = contents["kv"].view(stored).astype(np.float64)
    return reference.attend(
        spec,
        query.reshape(spec.rows, spec.heads, depth),
        cache.reshape(-1, 2, kv_heads, depth),
        POSITION,
    )
