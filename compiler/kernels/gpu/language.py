"""What WGSL kernels may use besides what every device has.

Half precision is for what is moved: the KV cache, activations in workgroup memory, and weights once
decoded. Eleven bits are plenty for each of them, weights of 4 and 8 bits have no more. Sums are
another matter: those over a model's width lose most of their bits in f16, so only the products that
share a scale are added up in it, at most eight for each of four lanes, and all else is f32.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx

from compiler.bundle.schema import Scheme
from compiler.kernels.dsl import Expr, f32

LARGEST = 65504.0  # of f16: what lies beyond would become infinite, and then NaN


class Half:
    """Arithmetic in f16. Conversions saturate."""

    scalar, quad = "float16", "float16x4"
    words = "uint32x2"  # the bits of a quad
    bytes = 2  # of a scalar

    def narrow(self, value: Expr) -> Expr:
        """An f32 as f16."""
        return saturated("float32", value).astype("float16")

    def narrow4(self, value: Expr) -> Expr:
        """Four f32s as f16."""
        return _extern(self.quad, "vec4<f16>", saturated("float32x4", value))

    def wide4(self, value: Expr) -> Expr:
        """Four f16s, or one four times, as f32."""
        return _extern("float32x4", "vec4<f32>", value)

    def quad_of(self, *values: Expr) -> Expr:
        """Four of one scalar, of two pairs or of four integers; f16 holds each of them."""
        return _extern(self.quad, "vec4<f16>", *values)

    def pair(self, word: Expr) -> Expr:
        """The two f16s in a u32."""
        return _extern("float16x2", "bitcast<vec2<f16>>", word)

    def times(self, value: Expr, factor: float) -> Expr:
        return value * tirx.const(factor, "float16")

    def fma4(self, a: Expr, b: Expr, c: Expr) -> Expr:
        return _extern(self.quad, "fma", a, b, c)

    def zero4(self) -> Expr:
        return self.quad_of(tirx.const(0, "float16"))

    def pack(self, value: Expr) -> Expr:
        """A quad's bits."""
        return _extern(self.words, "bitcast<vec2<u32>>", value)

    def unpack(self, words: Expr) -> Expr:
        return _extern(self.quad, "bitcast<vec4<f16>>", words)


@dataclass(frozen=True)
class Language:
    """Optional features of WGSL. Kernels that use none are the same in every language."""

    subgroups: bool = False  # for reductions
    half: Half | None = None

    def half_for(self, scheme: Scheme) -> Half | None:
        """f16 for products with weights that it can hold."""
        return self.half if scheme.bits < 32 else None


BASE, HALF = Language(), Half()


def saturated(dtype: str, value: Expr) -> Expr:
    """One f32 or four, brought into what f16 can hold."""
    limits = [f32(-LARGEST), f32(LARGEST)]
    if dtype != "float32":
        limits = [_extern(dtype, "vec4<f32>", limit) for limit in limits]
    return _extern(dtype, "clamp", value, *limits)


def _extern(dtype: str, name: str, *args: Expr) -> Expr:
    return tirx.call_pure_extern(dtype, name, *args)
