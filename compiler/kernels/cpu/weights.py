"""Reading weights in the `blocked` layout (compiler/quantize/layout.py) on a CPU.

A weight (N, K) is an array of 16-byte vectors [Kp / V][N], V = 128 / bits values of one row each.
A kernel takes four neighbouring rows at a time, whose vectors lie side by side.

Codes become floats without being shifted down: masked out where they stand, a code is an integer
times a power of two, which f32 holds exactly, and the power goes into what the code is multiplied
with. That saves one instruction of four per four values. A quad of such codes holds the same
nibble or byte of four words, whose values do not lie side by side: `reorder` goes from this order
to that of the values and back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tvm import tirx

from compiler.bundle.schema import Scheme
from compiler.kernels.cpu.dsl import (
    HALF_UNIT,
    LANES,
    Builder,
    bits,
    fma,
    halves,
    isplat,
    load,
    splat,
    transpose,
    undecoded_halves,
    vector_of,
)
from compiler.kernels.dsl import Expr, ceil_div, let

UNIT = 32  # values of a row that a kernel decodes at a time; groups are multiples of it


@dataclass(frozen=True)
class Weight:
    """The operands of one weight inside a kernel, and how to decode them."""

    scheme: Scheme
    rows: int  # N
    columns: int  # K
    codes: Expr
    scales: Expr | None

    @property
    def width(self) -> int:
        """Values in one 16-byte vector."""
        return 128 // self.scheme.bits

    @property
    def unit_vectors(self) -> int:
        """Vectors that a kernel reads of a row at a time: they share a scale, maybe with others."""
        return max(1, UNIT // self.width) if self.scheme.group else 1

    @property
    def unit_width(self) -> int:
        """Values in a unit."""
        return self.unit_vectors * self.width

    @property
    def units(self) -> int:
        return ceil_div(self.columns, self.unit_width)

    @property
    def factors(self) -> list[float]:
        """What the codes of each quad of a unit have to be multiplied with, powers of two."""
        return _FACTORS[self.scheme.bits] * self.unit_vectors

    @property
    def has_offset(self) -> bool:
        """Whether a group adds something to all its values."""
        return self.scheme.has_minimum or self.scheme.bits == 4

    def quads(self, unit: Expr, row: Expr) -> list[Expr]:
        """A unit of one row as float32x4 of codes in coded order, each to be multiplied with its
        factor."""
        quads = []
        for index in range(self.unit_vectors):
            words = let(load(self.codes, unit * self.unit_vectors + index, row, 0))
            quads += _QUADS[self.scheme.bits](words)
        return quads

    def reorder(self, quads: list[Expr]) -> list[Expr]:
        """Quads of one unit from coded order to the values', or from the values' to coded order."""
        size = self.width // LANES
        vectors = [quads[i : i + size] for i in range(0, len(quads), size)]
        return [quad for vector in vectors for quad in _REORDER[self.scheme.bits](vector)]

    def values(self, unit: Expr, row: Expr, scale: Expr, offset: Expr | None) -> list[Expr]:
        """A unit of one row, decoded and in order; `scale` and `offset` have it in all lanes."""
        codes = self.quads(unit, row)
        if self.scales is not None:
            scales = [let(scale * splat(factor)) for factor in self.factors]
            pairs = list(zip(codes, scales, strict=True))
            codes = [c * s if offset is None else fma(c, s, offset) for c, s in pairs]
        return self.reorder([let(code) for code in codes])

    def scales4(self, unit: Expr, row: Expr) -> tuple[Expr, Expr | None]:
        """Scale and offset of four neighbouring rows; value = code * factor * scale + offset."""
        return self._decoded(self._words4(unit, row))

    def scales1(self, unit: Expr, row: Expr) -> tuple[Expr, Expr | None]:
        """The same of one row, in all four lanes."""
        assert self.scales is not None
        return self._decoded(splat(self.scales[self._group(unit), row]))

    def _words4(self, unit: Expr, row: Expr) -> Expr:
        """Coded scales of four neighbouring rows."""
        assert self.scales is not None
        last, group = self.rows - 1, self._group(unit)
        if self.rows >= 2 * LANES:  # whoever stacks two matrices asks for four rows of each
            words = load(self.scales, group, row)
        else:
            safe = [tirx.min(row + i, last) for i in range(LANES)]
            words = vector_of([self.scales[group, index] for index in safe])
        return words

    def _group(self, unit: Expr) -> Expr:
        """The group that a unit lies in."""
        return unit if self.scheme.group == UNIT else unit // (self.scheme.group // UNIT)

    def half_scales4(self, unit: Expr, row: Expr) -> Expr:
        """Scales of four neighbouring rows / HALF_UNIT."""
        words = self._words4(unit, row)
        if not self.scheme.has_minimum:
            words = words.astype("uint32x4")
        return undecoded_halves(words << isplat(16, "uint32"))

    def offsets4(self, unit: Expr, row: Expr) -> Expr:
        """What four neighbouring rows add to all values of a unit."""
        if self.scheme.has_minimum:
            words = let(self._words4(unit, row))
            minimum = halves(words)
            return minimum * self._low(words) if self.scheme.in_scales else minimum
        return self.half_scales4(unit, row) * splat(-8.0 * HALF_UNIT)

    @staticmethod
    def _low(words: Expr) -> Expr:
        """The f16s in the lower halves."""
        return halves(words << isplat(16, "uint32"))

    def _decoded(self, words: Expr) -> tuple[Expr, Expr | None]:
        if self.scheme.has_minimum:
            words = let(words)
            scale, minimum = let(self._low(words)), halves(words)
            return scale, let(minimum * scale if self.scheme.in_scales else minimum)
        scale = let(halves(words.astype("uint32x4") << isplat(16, "uint32")))
        return scale, let(scale * splat(-8.0)) if self.scheme.bits == 4 else None


def declare(builder: Builder, scheme: Scheme, rows: int, columns: int) -> Weight:
    """Declares the buffers `codes` and, for quantized schemes, `scales` of a weight."""
    vectors = ceil_div(columns, 128 // scheme.bits)
    codes = builder.buffer("codes", (vectors, rows, LANES), "uint32")
    scales = None
    if scheme.group:
        groups = ceil_div(columns, scheme.group)
        if scheme.has_minimum:
            scales = builder.buffer("scales", (groups, rows), "uint32")
        else:
            scales = builder.buffer("scales", (groups, rows + rows % 2), "uint16")
    return Weight(scheme, rows, columns, codes, scales)


def _nibbles(words: Expr) -> list[Expr]:
    """Quad q: bits 4q .. 4q + 3 of every word."""
    masked = [words & isplat(15 << 4 * q, "uint32") for q in range(7)]
    # The last one would reach into the sign.
    return [_floats(w) for w in (*masked, words >> isplat(28, "uint32"))]


def _bytes(words: Expr) -> list[Expr]:
    """Quad q: byte q of every word, moved to the top, where its sign is the word's."""
    shifted = [words << isplat(24 - 8 * q, "uint32") if q < 3 else words for q in range(4)]
    return [_floats(w & isplat(0xFF000000, "uint32")) for w in shifted]


def _halves(words: Expr) -> list[Expr]:
    """Lower and upper halves of the words, back in the order of the values."""
    lower, upper = let(halves(words << isplat(16, "uint32"))), let(halves(words))
    return [
        tirx.Shuffle([lower, upper], [0, 4, 1, 5]),
        tirx.Shuffle([lower, upper], [2, 6, 3, 7]),
    ]


def _transposed_pairs(quads: list[Expr]) -> list[Expr]:
    """Lower and higher nibbles of a byte alternate."""
    even, odd = transpose(quads[0::2]), transpose(quads[1::2])
    return [quad for pair in zip(even, odd, strict=True) for quad in pair]


def _floats(words: Expr) -> Expr:
    return bits(words, "int32x4").astype("float32x4")


_QUADS: dict[int, Callable[[Expr], list[Expr]]] = {
    4: _nibbles,
    8: _bytes,
    16: _halves,
    32: lambda words: [bits(words, "float32x4")],
}
_FACTORS: dict[int, list[float]] = {
    4: [2.0 ** (-4 * q) for q in range(7)] + [1.0],
    8: [2.0**-24] * 4,
    16: [1.0, 1.0],
    32: [1.0],
}
_REORDER: dict[int, Callable[[list[Expr]], list[Expr]]] = {
    4: _transposed_pairs,
    8: transpose,
    16: list,
    32: list,
}
