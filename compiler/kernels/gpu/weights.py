"""Reading weights in the `blocked` layout (compiler/quantize/layout.py) inside kernels.

A weight (N, K) is an array of 16-byte vectors [Kp / V][N], V = 128 / bits values of one row each,
so neighbouring invocations that own neighbouring rows read neighbouring vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

from compiler.bundle.schema import Scheme
from compiler.kernels.dsl import Expr, ceil_div, let, store, u32
from compiler.kernels.gpu.dsl import Builder, extern, fma4, lane, vec4
from compiler.kernels.gpu.language import Half


@dataclass(frozen=True)
class Weight:
    """The operands of one weight inside a kernel, and how to decode them."""

    builder: Builder
    scheme: Scheme
    rows: int  # N
    columns: int  # K
    codes: Expr
    scales: Expr | None

    @property
    def half(self) -> Half | None:
        """The arithmetic of decoded values, if not f32."""
        return self.builder.language.half_for(self.scheme)

    @property
    def width(self) -> int:
        """Values in one 16-byte vector."""
        return 128 // self.scheme.bits

    @property
    def vectors(self) -> int:
        """16-byte vectors along K."""
        return ceil_div(self.columns, self.width)

    @property
    def unit(self) -> int:
        """Vectors that share a scale: what a kernel reads at a time."""
        return max(1, self.scheme.group // self.width)

    @property
    def quads(self) -> int:
        """vec4s of values in one unit."""
        return self.unit * self.width // 4

    def unit_of(self, unit: Expr, row: Expr) -> Unit:
        """Reads the codes and the scale of one unit of a row."""
        words = [let(self.codes[unit * self.unit + i, row]) for i in range(self.unit)]
        scale = None if self.scales is None else self._scale(unit, row)
        return Unit(self, words, scale)

    def _scale(self, unit: Expr, row: Expr) -> tuple[Expr, Expr]:
        """scale and offset such that value = code * scale + offset, each as a vec4."""
        assert self.scales is not None
        if self.scheme.has_minimum:
            pair = self._pair(self.scales[unit, row])
            return self._kept(lane(pair, 0)), self._kept(lane(pair, 1))
        # Two neighbouring rows share a word; the odd one is in its upper half.
        word = self.scales[unit, row >> 1] >> ((row & 1) * 16).astype("uint32")
        scale = lane(self._pair(word), 0)
        zero = -(2.0 ** (self.scheme.bits - 1)) if self.scheme.bits == 4 else 0.0
        if self.half is not None:
            return self._kept(scale), self._kept(self.half.times(scale, zero))
        scale = let(scale)
        return self._kept(scale), self._kept(scale * zero)

    def _pair(self, word: Expr) -> Expr:
        """Two scales, or a scale and an offset."""
        if self.half is not None:
            return self.half.pair(word)
        return let(extern("float32x2", "unpack2x16float", word))

    def _kept(self, scalar: Expr) -> Expr:
        """A vec4 of one value, in registers."""
        if self.half is None:
            return let(vec4(scalar))
        kept = self.builder.local(1, self.half.quad)
        store(kept, self.half.quad_of(scalar), 0)
        return kept[0]


@dataclass(frozen=True)
class Unit:
    """The codes of one row that share a scale, read and not yet decoded."""

    weight: Weight
    words: list[Expr]
    scale: tuple[Expr, Expr] | None

    def quad(self, index: int) -> Expr:
        """Values 4 index .. 4 index + 3 as a vec4 of f32, or of `weight.half`."""
        half, decode = self.weight.half, _CODES[self.weight.scheme.bits]
        codes = [code for word in self.words for code in decode(word, half)]
        value = codes[index]
        if self.scale is not None:
            value = (fma4 if half is None else half.fma4)(value, *self.scale)
        # Kept in a register: TVM would spell a `let` out again at each of its uses.
        kept = self.weight.builder.local(1, "float32x4" if half is None else half.quad)
        store(kept, value, 0)
        return kept[0]


def declare(builder: Builder, scheme: Scheme, rows: int, columns: int) -> Weight:
    """Declares the buffers `codes` and, for quantized schemes, `scales` of a weight."""
    vectors = ceil_div(columns, 128 // scheme.bits)
    codes = builder.buffer("codes", (vectors, rows), "uint32x4")
    scales = None
    if scheme.group:
        words = rows if scheme.has_minimum else ceil_div(rows, 2)
        scales = builder.buffer("scales", (ceil_div(columns, scheme.group), words), "uint32")
    return Weight(builder, scheme, rows, columns, codes, scales)


def _nibbles(vector: Expr, half: Half | None) -> list[Expr]:
    """Word w, byte j: value 8w + j in the low nibble, 8w + 4 + j in the high one."""
    out = []
    for index in range(4):
        word = lane(vector, index)
        for part in (word, word >> u32(4)):
            codes = extern("uint32x4", "unpack4xU8", part & u32(0x0F0F0F0F))
            out.append(_quad(half, codes))
    return out


def _bytes(vector: Expr, half: Half | None) -> list[Expr]:
    """Word w, byte j: value 4w + j, signed."""
    words = (lane(vector, w) for w in range(4))
    return [_quad(half, extern("int32x4", "unpack4xI8", word)) for word in words]


def _halves(vector: Expr, half: Half | None) -> list[Expr]:
    """Word w: values 2w and 2w + 1."""
    words = [lane(vector, w) for w in range(4)]
    if half is None:
        pairs = [extern("float32x2", "unpack2x16float", word) for word in words]
    else:
        pairs = [half.pair(word) for word in words]
    return [_quad(half, *pairs[:2]), _quad(half, *pairs[2:])]


def _floats(vector: Expr, half: Half | None) -> list[Expr]:
    assert half is None
    return [extern("float32x4", "bitcast<vec4<f32>>", vector)]


def _quad(half: Half | None, *values: Expr) -> Expr:
    return vec4(*values) if half is None else half.quad_of(*values)


_CODES = {4: _nibbles, 8: _bytes, 16: _halves, 32: _floats}
