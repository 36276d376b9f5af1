"""A product x weight^T in registers: what linear layers share, whatever becomes of the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tvm import tirx

from compiler.kernels.dsl import Expr, both, ceil_div, f32, let, loop, store, when
from compiler.kernels.gpu.dsl import Builder, dot, vec4
from compiler.kernels.gpu.language import Half
from compiler.kernels.gpu.weights import Unit, Weight

FEW = 4  # tokens that are done like one, each weight decoded once for all of them


@dataclass(frozen=True)
class Tiling:
    """How a product is spread over invocations."""

    rows: int  # tokens per invocation
    width: int  # invocations side by side in a workgroup, on neighbouring weight rows
    split: int  # invocations that share weight rows, each taking every `split`-th unit of K
    outputs: int = 1  # results per token and invocation, `width` rows of the weight apart

    @property
    def threads(self) -> int:
        return self.width * self.split


class Activations(Protocol):
    """The left operand, read in pieces of K."""

    def piece_units(self, weight: Weight) -> int:
        """Units of K that are there at a time."""

    def stage(self, piece: Expr) -> None:
        """Makes a piece ready, by the whole workgroup."""

    def load(self, i: int, quad: Expr) -> Expr:
        """Four values of the invocation's token i, numbered from the start of the piece, in the
        weight's arithmetic."""

    def factor(self, i: int) -> Expr | None:
        """What the products of token i are still to be multiplied with, after the last piece."""


class Product:
    """Sums of `tiling.rows` tokens times the invocation's weight rows, kept in registers."""

    def __init__(
        self,
        k: Builder,
        tiling: Tiling,
        x: Activations,
        weight: Weight,
        threads: Sequence[Expr],
        rows: Sequence[Expr],
        inside: Expr,
    ) -> None:
        """`rows` are the invocation's weight rows; where not `inside`, it has none."""
        self.k, self.tiling, self.x, self.weight = k, tiling, x, weight
        self.threads, self.rows, self.inside = threads, rows, inside
        self.sums = k.local(len(rows) * tiling.rows)
        self._accumulate()
        if tiling.split > 1:
            self._reduce()
        self._scale()

    def sum(self, row: int, i: int) -> Expr:
        """Token i times weight row `row`; the same in all invocations that share the row."""
        return self.sums[row * self.tiling.rows + i]

    def _accumulate(self) -> None:
        """Sums the invocation's share of K."""
        units = ceil_div(self.weight.vectors, self.weight.unit)
        piece_units = self.x.piece_units(self.weight)
        for index in range(len(self.rows) * self.tiling.rows):
            store(self.sums, f32(0), index)
        if piece_units >= units:
            self._piece(0, units, units)
        else:
            with loop(ceil_div(units, piece_units)) as piece:
                self._piece(piece, piece_units, units)

    def _piece(self, piece: Expr, piece_units: int, units: int) -> None:
        self.x.stage(piece)
        with loop(ceil_div(piece_units, self.tiling.split)) as step:
            local = step * self.tiling.split + self.threads[1]
            unit = piece * piece_units + local
            with when(both(unit < units, self.inside)):
                self._unit(unit, local)

    def _unit(self, unit: Expr, local: Expr) -> None:
        last = self.weight.rows - 1
        rows = [self.weight.unit_of(unit, tirx.min(row, last)) for row in self.rows]
        if (half := self.weight.half) is not None:
            self._unit_in_half(rows, local, half)
            return
        if self.tiling.rows == 1 and self.weight.scales is not None:
            self._unit_unscaled(rows, local)
            return
        for index, x, value in self._terms(rows, local):
            store(self.sums, dot(x, value) + self.sums[index], index)

    def _unit_unscaled(self, rows: Sequence[Unit], local: Expr) -> None:
        """Multiplies x with codes, and with their scale once. For one token that is less work:
        sum(x (code factor + offset)) = factor sum(x code) + offset sum(x)."""
        parts = [self.k.local(1) for _ in rows]
        total = self.k.local(1, "float32x4")
        for part in parts:
            store(part, f32(0), 0)
        store(total, vec4(f32(0)), 0)
        for j in range(self.weight.quads):
            codes = [row.codes(j) for row in rows]
            x = self.x.load(0, local * self.weight.quads + j)
            if self.weight.shifted:
                store(total, x + total[0], 0)
            for part, code in zip(parts, codes, strict=True):
                store(part, dot(x, code) + part[0], 0)
        sum_x = let(dot(total[0], vec4(f32(1))))
        for index, row in enumerate(rows):
            assert row.scale is not None
            factor, offset = row.scale
            scaled = parts[index][0] * factor
            shifted = scaled + sum_x * offset if self.weight.shifted else scaled
            store(self.sums, self.sums[index] + shifted, index)

    def _unit_in_half(self, rows: Sequence[Unit], local: Expr, half: Half) -> None:
        """Adds up what shares a scale in half precision; language.py says why no more than that."""
        parts = self.k.local(len(rows) * self.tiling.rows, half.quad)
        for index in range(len(rows) * self.tiling.rows):
            store(parts, half.zero4(), index)
        for index, x, value in self._terms(rows, local):
            store(parts, half.fma4(x, value, parts[index]), index)
        for index in range(len(rows) * self.tiling.rows):
            total = dot(half.wide4(parts[index]), vec4(f32(1)))
            store(self.sums, self.sums[index] + total, index)

    def _terms(self, rows: Sequence[Unit], local: Expr) -> Iterator[tuple[int, Expr, Expr]]:
        """The number of each sum, and the quads of x and weight whose product belongs to it."""
        parts = self.weight.parts
        count = self.weight.width // 4 // parts  # quads of a part
        for number in range(self.weight.unit):
            vectors = [row.turning(number) for row in rows]
            with loop(parts) as part:
                first = ((local * self.weight.unit + number) * parts + part) * count
                for j, values in enumerate(zip(*(v.quads() for v in vectors), strict=True)):
                    for i in range(self.tiling.rows):
                        x = self.x.load(i, first + j)
                        for row, value in enumerate(values):
                            yield row * self.tiling.rows + i, x, value
                for vector in vectors:
                    vector.turn()

    def _reduce(self) -> None:
        """Adds up the shares of K through workgroup memory."""
        tx, ty = self.threads
        width, split = self.tiling.width, self.tiling.split
        count = len(self.rows) * self.tiling.rows
        partial = self.k.shared(count * split * width)
        for index in range(count):
            store(partial, self.sums[index], (index * split + ty) * width + tx)
        for index in range(count):
            total = partial[index * split * width + tx]
            for other in range(1, split):
                total = total + partial[(index * split + other) * width + tx]
            store(self.sums, total, index)

    def _scale(self) -> None:
        for i in range(self.tiling.rows):
            if (factor := self.x.factor(i)) is not None:
                kept = self.k.local(1)
                store(kept, factor, 0)
                for row in range(len(self.rows)):
                    index = row * self.tiling.rows + i
                    store(self.sums, self.sums[index] * kept[0], index)
