"""Reading weights in the `blocked` layout (compiler/quantize/layout.py) inside kernels.

A weight (N, K) is an array of 16-byte vectors [Kp / V][N], V = 128 / bits values of one row each,
so neighbouring invocations that own neighbouring rows read neighbouring vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

from compiler.bundle.schema import Scheme
from compiler.kernels.dsl import Expr, ceil_div, let, store, u32
from compiler.kernels.gpu.dsl import Builder, extern, fma4, lane, vec4


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
            pair = let(extern("float32x2", "unpack2x16float", self.scales[unit, row]))
            return let(vec4(lane(pair, 0))), let(vec4(lane(pair, 1)))
        # Two neighbouring rows share a word; the odd one is in its upper half.
        word = self.scales[unit, row >> 1] >> ((row & 1) * 16).astype("uint32")
        pair = extern("float32x2", "unpack2x16float", word)
        scale = let(lane(pair, 0))
        zero = -(2.0 ** (self.scheme.bits - 1)) if self.scheme.bits == 4 else 0.0
        return let(vec4(scale)), let(vec4(scale * zero))


@dataclass(frozen=True)
class Unit:
    """The codes of one row that share a scale, read and not yet decoded."""

    weight: Weight
    words: list[Expr]
    scale: tuple[Expr, Expr] | None

    def quad(self, index: int) -> Expr:
        """Values 4 index .. 4 index + 3 as a vec4<f32>."""
        codes = [code for word in self.words for code in _CODES[self.weight.scheme.bits](word)]
        value = codes[index] if self.scale is None else fma4(codes[index], *self.scale)
        # Kept in a register: TVM would spell a `let` out again at each of its uses.
        kept = self.weight.builder.local(1, "float32x4")
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


def _nibbles(vector: Expr) -> list[Expr]:
    """Word w, byte j: value 8w + j in the low nibble, 8w + 4 + j in the high one."""
    out = []
    for index in range(4):
        word = lane(vector, index)
        for half in (word, word >> u32(4)):
            out.append(vec4(extern("uint32x4", "unpack4xU8", half & u32(0x0F0F0F0F))))
    return out


def _bytes(vector: Expr) -> list[Expr]:
    """Word w, byte j: value 4w + j, signed."""
    return [vec4(extern("int32x4", "unpack4xI8", lane(vector, w))) for w in range(4)]


def _halves(vector: Expr) -> list[Expr]:
    """Word w: values 2w and 2w + 1."""
    pairs = [extern("float32x2", "unpack2x16float", lane(vector, w)) for w in range(4)]
    return [vec4(pairs[0], pairs[1]), vec4(pairs[2], pairs[3])]


def _floats(vector: Expr) -> list[Expr]:
    return [extern("float32x4", "bitcast<vec4<f32>>", vector)]


_CODES = {4: _nibbles, 8: _bytes, 16: _halves, 32: _floats}
