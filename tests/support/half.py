"""f16 on adapters that have none: f32s, rounded to f16 by WGSL's quantizeToF16 after every step.

What is stored takes an f32's place. An fma is rounded twice, where f16 rounds once: a difference of
less than 2^-24 of it.
"""

from __future__ import annotations

from compiler.kernels.dsl import Expr, f32
from compiler.kernels.gpu.dsl import extern
from compiler.kernels.gpu.language import Half, Language, saturated


class EmulatedHalf(Half):
    """The same operations on f32s that f16 can hold."""

    scalar, quad, words, bytes = "float32", "float32x4", "uint32x4", 4

    def narrow(self, value: Expr) -> Expr:
        return extern("float32", "quantizeToF16", saturated("float32", value))

    def narrow4(self, value: Expr) -> Expr:
        return self._rounded(saturated(self.quad, value))

    def quad_of(self, *values: Expr) -> Expr:
        return self._rounded(extern(self.quad, "vec4<f32>", *values))

    def pair(self, word: Expr) -> Expr:
        return extern("float32x2", "unpack2x16float", word)

    def times(self, value: Expr, factor: float) -> Expr:
        return extern("float32", "quantizeToF16", value * f32(factor))

    def fma4(self, a: Expr, b: Expr, c: Expr) -> Expr:
        return self._rounded(extern(self.quad, "fma", a, b, c))

    def zero4(self) -> Expr:
        return self.quad_of(f32(0))

    def pack(self, value: Expr) -> Expr:
        return extern(self.words, "bitcast<vec4<u32>>", value)

    def unpack(self, words: Expr) -> Expr:
        return extern(self.quad, "bitcast<vec4<f32>>", words)

    def _rounded(self, value: Expr) -> Expr:
        return extern(self.quad, "quantizeToF16", value)


EMULATED = Language(half=EmulatedHalf())
EMULATED_SUBGROUPS = Language(subgroups=True, half=EMULATED.half)
