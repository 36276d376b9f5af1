"""Reading weights in the `blocked` layout (compiler/quantize/layout.py) inside kernels.

A weight (N, K) is an array of 16-byte vectors [Kp / V][N], V = 128 / bits values of one row each,
so neighbouring invocations that own neighbouring rows read neighbouring vectors.

In f32, codes are decoded as the normalised integers they can be taken for: one built-in function
makes four floats of a word, in hardware or close to it, and the scale makes up for the divisor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from compiler.bundle.schema import Scheme
from compiler.kernels.dsl import Expr, ceil_div, let, store, u32
from compiler.kernels.gpu.dsl import Builder, extern, fma4, lane, vec4
from compiler.kernels.gpu.language import Half

UNIT = 32  # values of a row that a kernel decodes at a time; groups are multiples of it


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
        """Vectors that a kernel reads at a time: they share a scale, maybe with others."""
        return max(1, UNIT // self.width) if self.scheme.group else 1

    @property
    def quads(self) -> int:
        """vec4s of values in one unit."""
        return self.unit * self.width // 4

    @property
    def parts(self) -> int:
        """Pieces in which a loop can take a vector: the four words of codes."""
        return 1 if self.scales is None else 4

    @property
    def one(self) -> float:
        """The code that decodes to 1: what WGSL divides normalised integers by. In half precision,
        which cannot hold such fractions, codes stay integers."""
        return 1.0 if self.half is not None else {4: 255.0, 8: 127.0}.get(self.scheme.bits, 1.0)

    @property
    def shifted(self) -> bool:
        """Whether values have an offset besides their scale."""
        return self.scheme.has_minimum or self.scheme.bits == 4

    def decode(self, vector: Expr) -> list[Expr]:
        """The codes of a vector as quads of f32, or of `half`."""
        return _CODES[self.scheme.bits](vector, self.half)

    def scaled(self, codes: Expr, scales: tuple[Expr, Expr] | None) -> Expr:
        """The values of a quad of codes."""
        if scales is None:
            return self.kept(codes)
        return self.kept((fma4 if self.half is None else self.half.fma4)(codes, *scales))

    def kept(self, quad: Expr) -> Expr:
        """In a register: TVM would spell a `let` out again at each of its uses."""
        kept = self.builder.local(1, "float32x4" if self.half is None else self.half.quad)
        store(kept, quad, 0)
        return kept[0]

    def unit_of(self, unit: Expr, row: Expr) -> Unit:
        """Reads the codes and the scale of one unit of a row."""
        words = [let(self.codes[unit * self.unit + i, row]) for i in range(self.unit)]
        scale = None if self.scales is None else self._scale(unit, row)
        return Unit(self, words, scale)

    def _scale(self, unit: Expr, row: Expr) -> tuple[Expr, Expr]:
        """factor and offset such that value = decoded code * factor + offset."""
        assert self.scales is not None
        group = unit if self.scheme.group == UNIT else unit // (self.scheme.group // UNIT)
        if self.scheme.has_minimum:
            pair = self._pair(self.scales[group, row])
            scale, minimum = lane(pair, 0), lane(pair, 1)
            offset = let(scale * minimum) if self.scheme.in_scales else minimum
            return self._times(scale, self.one), offset
        # Two neighbouring rows share a word; the odd one is in its upper half.
        word = self.scales[group, row >> 1] >> ((row & 1) * 16).astype("uint32")
        scale = lane(self._pair(word), 0)
        zero = -(2.0 ** (self.scheme.bits - 1)) if self.scheme.bits == 4 else 0.0
        return self._times(scale, self.one), self._times(scale, zero)

    def _times(self, scale: Expr, factor: float) -> Expr:
        if factor == 1:
            return scale
        return let(scale * factor) if self.half is None else self.half.times(scale, factor)

    def _pair(self, word: Expr) -> Expr:
        """Two scales, or a scale and an offset."""
        if self.half is not None:
            return self.half.pair(word)
        return let(extern("float32x2", "unpack2x16float", word))


@dataclass(frozen=True)
class Unit:
    """The codes of one row that share a scale, read and not yet decoded."""

    weight: Weight
    words: list[Expr]
    scale: tuple[Expr, Expr] | None  # factor and offset

    def quad(self, index: int) -> Expr:
        """Values 4 index .. 4 index + 3 as a vec4 of f32, or of `weight.half`."""
        return self.weight.scaled(self.codes(index), self._scales)

    def codes(self, index: int) -> Expr:
        """The same without factor and offset, in f32, to be used once."""
        return [code for word in self.words for code in self.weight.decode(word)][index]

    def turning(self, index: int) -> Turning:
        """A vector of the unit for a loop over its parts."""
        register = self.weight.builder.local(1, "uint32x4")
        store(register, self.words[index], 0)
        return Turning(self.weight, register, self._scales)

    @cached_property
    def _scales(self) -> tuple[Expr, Expr] | None:
        """Factor and offset as vectors."""
        if self.scale is None:
            return None
        factor, offset = self.scale
        if (half := self.weight.half) is None:
            return let(vec4(factor)), let(vec4(offset))
        kept = self.weight.kept
        return kept(half.quad_of(factor)), kept(half.quad_of(offset))


@dataclass(frozen=True)
class Turning:
    """A vector of which a loop takes one part after the other, always the one that comes first. A
    kernel that visitors load is so a quarter as long as with all parts written out, and drivers
    have a quarter to compile."""

    weight: Weight
    register: Expr
    scales: tuple[Expr, Expr] | None

    def quads(self) -> list[Expr]:
        """The values of the part that comes first."""
        codes = self.weight.decode(self.register[0])
        first = codes[: len(codes) // self.weight.parts]
        return [self.weight.scaled(code, self.scales) for code in first]

    def turn(self) -> None:
        """Puts the next part first."""
        if self.weight.parts > 1:
            words = [lane(self.register[0], index) for index in (1, 2, 3, 0)]
            store(self.register, extern("uint32x4", "vec4<u32>", *words), 0)


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
            codes = part & u32(0x0F0F0F0F)
            if half is None:
                out.append(extern("float32x4", "unpack4x8unorm", codes))
            else:
                out.append(half.quad_of(extern("uint32x4", "unpack4xU8", codes)))
    return out


def _bytes(vector: Expr, half: Half | None) -> list[Expr]:
    """Word w, byte j: value 4w + j, signed and never -128."""
    words = [lane(vector, w) for w in range(4)]
    if half is None:
        return [extern("float32x4", "unpack4x8snorm", word) for word in words]
    return [half.quad_of(extern("int32x4", "unpack4xI8", word)) for word in words]


def _halves(vector: Expr, half: Half | None) -> list[Expr]:
    """Word w: values 2w and 2w + 1."""
    words = [lane(vector, w) for w in range(4)]
    if half is None:
        pairs = [extern("float32x2", "unpack2x16float", word) for word in words]
        return [vec4(*pairs[:2]), vec4(*pairs[2:])]
    pairs = [half.pair(word) for word in words]
    return [half.quad_of(*pairs[:2]), half.quad_of(*pairs[2:])]


def _floats(vector: Expr, half: Half | None) -> list[Expr]:
    assert half is None
    return [extern("float32x4", "bitcast<vec4<f32>>", vector)]


_CODES = {4: _nibbles, 8: _bytes, 16: _halves, 32: _floats}
