"""Numbers as integers of three signed bytes, for dot products of bytes with 4-bit codes.

32 numbers that meet one vector of codes share a step, their largest magnitude / 2^22, and each is
the nearest multiple of it: n = d0 + 256 d1 + 65536 d2, digits from -128 to 127. What that rounds
away is below 2^-23 of the largest: no more than f32 loses when it adds the largest product to the
others. Everything after it is exact: sums of digits times codes stay below 2^31.

The instruction, i32x4.relaxed_dot_i8x16_i7x16_add_s (WebAssembly relaxed SIMD), adds four products
of signed bytes with bytes of 0 to 127 to each lane; with codes below 16 nothing about it depends
on the device. Processors with byte dot products have it as one instruction.
"""

from __future__ import annotations

from tvm import tirx

from compiler.kernels.cpu.dsl import (
    HALF_UNIT,
    LANES,
    Builder,
    bits,
    fma,
    hold,
    isplat,
    lane,
    splat,
)
from compiler.kernels.dsl import Expr, f32, let, store

BYTES = 16  # in a vector
QUADS = 8  # of numbers that meet a vector of 4-bit codes
DIGITS = 3
RANGE = 2.0**22
MAGIC = 1.5 * 2.0**23  # added to a float below 2^22, leaves its nearest integer in the low bits
MAGIC_BITS = 0x4B400000
MIDDLES = 0x808080  # 128 in every digit


class Digits:
    """Staged numbers, a thread's own."""

    def __init__(self, k: Builder, vectors: int) -> None:
        """Room for 32 `vectors` numbers."""
        self._digits = k.workspace((vectors, DIGITS, 2, BYTES), "int8")
        self.steps = k.workspace((vectors,))  # times HALF_UNIT

    def stage(self, vector: Expr, quads: list[Expr]) -> None:
        """Takes 32 numbers in their order."""
        largest = splat(1e-20)  # of zeros too: their step times a scale should be no denormal
        for quad in quads:
            largest = tirx.max(largest, tirx.max(quad, splat(0.0) - quad))
        lanes = [lane(hold(largest), index) for index in range(LANES)]
        scalar = let(tirx.max(tirx.max(*lanes[:2]), tirx.max(*lanes[2:])))
        store(self.steps, scalar * f32(HALF_UNIT / RANGE), vector)
        inverse = let(splat(f32(RANGE) / scalar))
        words = [let(_digits_of(quad, inverse)) for quad in quads]
        for half in range(2):
            # Quads alternate between the lower and the higher nibbles of a word of codes.
            chosen = [let(bits(word, "int8x16")) for word in words[half::2]]
            for digit in range(DIGITS):
                index = (vector, digit, half, tirx.Ramp(0, 1, BYTES))
                store(self._digits, _every_fourth(chosen, digit), *index)

    def load(self, vector: Expr) -> list[tuple[Expr, Expr]]:
        """For lower and for higher nibbles, the highest digits first."""
        every = tirx.Ramp(0, 1, BYTES)
        return [
            (let(self._digits[vector, digit, 0, every]), let(self._digits[vector, digit, 1, every]))
            for digit in reversed(range(DIGITS))
        ]


def product(words: Expr, digits: list[tuple[Expr, Expr]]) -> Expr:
    """32 codes times 32 staged numbers, in steps: four partial sums as float32x4."""
    low = let(bits(words & isplat(0x0F0F0F0F, "uint32"), "int8x16"))
    high = let(bits((words >> isplat(4, "uint32")) & isplat(0x0F0F0F0F, "uint32"), "int8x16"))
    total = isplat(0)
    for index, (lower, upper) in enumerate(digits):
        higher = total << isplat(8) if index else total
        total = hold(_dot(upper, high, hold(_dot(lower, low, higher))))
    return total.astype("float32x4")


def _dot(digits: Expr, codes: Expr, total: Expr) -> Expr:
    name = "llvm.wasm.relaxed.dot.i8x16.i7x16.add.signed"
    return tirx.call_llvm_pure_intrin("int32x4", name, digits, codes, total)


def _digits_of(quad: Expr, inverse: Expr) -> Expr:
    """Four numbers as words whose lower three bytes are signed digits.

    With 128 added in every digit the bytes of the sum are the digits, plus 128 each: the same as
    signed bytes with their highest bits turned.
    """
    words = bits(fma(quad, inverse, splat(MAGIC)), "int32x4")
    return (words + isplat(MIDDLES - MAGIC_BITS)) ^ isplat(MIDDLES)


def _every_fourth(vectors: list[Expr], start: int) -> Expr:
    """Byte `start` of the words of four vectors."""
    lanes = [start + LANES * word for word in range(2 * LANES)]
    halves = [let(tirx.Shuffle(vectors[i : i + 2], lanes + lanes)) for i in (0, 2)]
    return tirx.Shuffle(halves, [*range(8), *range(16, 24)])
