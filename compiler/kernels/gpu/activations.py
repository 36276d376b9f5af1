"""The left operand of a product: read where it is used, or made by a prologue first.

A prologue (compiler/kernels/specs.py) is computed by every workgroup for the tokens it works on,
which costs little beside the weights it reads and saves a launch: x is staged in workgroup memory,
one piece of K after the other, each invocation of a token's `lanes` reading its share once.

RMSNorm's factor is the same for all values of a token, so the product is taken of x weight and
multiplied with the factor afterwards, when the sum of squares is known: x is read once. LayerNorm
subtracts the mean, and half precision cannot hold what was not normed yet: there x is read twice.

Where x is attention over splits of the positions, it is put together as it is staged (splits.py).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Protocol

from tvm import tirx

from compiler.kernels.dsl import Expr, both, ceil_div, f32, let, loop, select, store, when
from compiler.kernels.gpu.dsl import Builder, dot, extern, vec4
from compiler.kernels.gpu.product import Tiling
from compiler.kernels.gpu.reduce import combine, prepare
from compiler.kernels.gpu.splits import Splits
from compiler.kernels.gpu.weights import Weight
from compiler.kernels.specs import Linear

STAGED = 2048  # values of x in workgroup memory at a time, half of what devices guarantee

StoreSum = Callable[[Expr, Expr, Expr], None]  # token, quad, value


class Direct:
    """Activations read where they are used; a workgroup's invocations read the same ones."""

    def __init__(self, k: Builder, spec: Linear) -> None:
        self.spec = spec
        self.aligned = spec.columns % 4 == 0
        shape = (spec.inputs, spec.columns // 4) if self.aligned else (spec.inputs, spec.columns)
        self.x = k.buffer("x", shape, "float32x4" if self.aligned else "float32")
        self.k, self.half = k, k.language.half_for(spec.scheme)
        self.m: Expr = 0

    def begin(self, m: Expr) -> None:
        """`m` is the invocation's first token."""
        self.m = m

    def piece_units(self, weight: Weight) -> int:
        self.width = weight.width
        return ceil_div(weight.vectors, weight.unit)

    def stage(self, piece: Expr) -> None:
        """Nothing to do."""

    def factor(self, i: int) -> Expr | None:
        return None

    def load(self, i: int, quad: Expr) -> Expr:
        if self.half is None:
            return self._load(i, quad)
        narrow = self.k.local(1, self.half.quad)
        store(narrow, self.half.narrow4(self._load(i, quad)), 0)
        return narrow[0]

    def row(self, i: int) -> Expr:
        """The row of x of the invocation's token i; past the end it is the last one's."""
        return tirx.min(self.m + i, self.spec.rows - 1) // self.spec.shared

    def _load(self, i: int, quad: Expr) -> Expr:
        """Columns past the end are zero."""
        columns, row = self.spec.columns, self.row(i)
        if self.aligned:
            inside = columns % self.width == 0
            x = self.x[row, quad]
            return let(x) if inside else let(select(quad * 4 < columns, x, vec4(f32(0))))
        lanes = [quad * 4 + j for j in range(4)]
        reads = [self.x[row, tirx.min(j, columns - 1)] for j in lanes]
        zero = f32(0)
        masked = [select(j < columns, v, zero) for j, v in zip(lanes, reads, strict=True)]
        return let(vec4(*masked))


class Staged:
    """Activations after a prologue. K is a multiple of 4; the workgroup's invocations are shared
    out evenly among its tokens."""

    def __init__(self, k: Builder, spec: Linear, tiling: Tiling, vectors: Vectors) -> None:
        self.k, self.spec, self.tiling, self.vectors = k, spec, tiling, vectors
        self.half = k.language.half_for(spec.scheme)
        # What was not normed yet may be larger than f16 can hold.
        self.early = spec.prologue.norm == "rms" and self.half is not None
        self.quads, rest = divmod(spec.columns, 4)
        self.lanes, left = divmod(tiling.threads, tiling.rows)
        if rest or left or (spec.prologue.combine and spec.rows > 1):
            raise AssertionError(f"{spec.name}: no prologue with {tiling}")
        shape = (spec.rows, self.quads)
        combine = spec.prologue.combine
        self.splits = Splits(k, combine, self.quads, tiling.threads) if combine else None
        self.x: Expr = None if combine else k.buffer("x", shape, "float32x4")
        summed = spec.prologue.sum is not None
        self.skip = k.buffer("skip", shape, "float32x4") if summed else None

    def begin(self, m: Expr, thread: Expr, first: Expr, store_sum: StoreSum | None) -> None:
        """`m` is the workgroup's first token; where `first`, it writes the sum for others."""
        self.first, self.store_sum = first, store_sum
        self.totals = make_totals(self.k, self.lanes)
        self.thread, self.lane = thread, thread % self.lanes
        self.row = thread // self.lanes
        self.real = m + self.row < self.spec.rows
        self.token = let(tirx.min(m + self.row, self.spec.rows - 1))
        if self.splits is not None:
            self.splits.begin(thread)
        self._before_norm()
        self._before_stage()

    def _before_norm(self) -> None:
        summed = self.spec.prologue.sum
        if summed is not None:
            squares = self._total(
                lambda quad: dot(self.x[self.token, quad], self.x[self.token, quad])
            )
            self.sum_factor = self._kept(self._rsqrt(squares, summed.epsilon))

    def _before_stage(self) -> None:
        """What LayerNorm and half precision need first."""
        before = self.spec.prologue
        self.squares = self.k.local(1)
        store(self.squares, f32(0), 0)
        if self.early:
            squares = self._total(lambda quad: dot(self._value(quad), self._value(quad)))
            self.scale = self._kept(self._rsqrt(squares, before.epsilon))
        if before.norm == "layer":
            one = vec4(f32(1))
            total = self._total(lambda quad: dot(self._value(quad), one))
            self.mean = self._kept(total / f32(self.spec.columns))
            variance = self._total(lambda quad: dot(self._centred(quad), self._centred(quad)))
            self.scale = self._kept(self._rsqrt(variance, before.epsilon))

    def piece_units(self, weight: Weight) -> int:
        """As many as fit, a multiple of the split."""
        values, split = weight.quads * 4, self.tiling.split
        units = ceil_div(weight.vectors, weight.unit)
        fitting = max(1, STAGED // self.tiling.rows // (values * split)) * split
        self.piece = min(units, fitting) * weight.quads
        # As integers: TVM would let f32 scalars share the memory of f32 vectors that are not needed
        # any more, which WGSL cannot spell.
        words = "uint32x4" if self.half is None else self.half.words
        self.staged = self.k.shared(self.tiling.rows * self.piece, words)
        return min(units, fitting)

    def stage(self, piece: Expr) -> None:
        with loop(ceil_div(self.piece, self.lanes)) as step:
            local = step * self.lanes + self.lane
            with when(local < self.piece):
                quad = piece * self.piece + local
                inside = quad < self.quads
                value = let(self._value(tirx.min(quad, self.quads - 1)))
                if self.store_sum is not None:
                    with when(both(inside, self.real, self.first)):
                        self.store_sum(self.token, quad, value)
                if self.spec.prologue.norm == "rms" and not self.early:
                    square = select(inside, dot(value, value), f32(0))
                    store(self.squares, self.squares[0] + square, 0)
                normed = self._normed(value, tirx.min(quad, self.quads - 1))
                kept = select(inside, normed, vec4(f32(0)))
                store(self.staged, self._bits(kept), self.row * self.piece + local)

    def _bits(self, value: Expr) -> Expr:
        if self.half is None:
            return extern("uint32x4", "bitcast<vec4<u32>>", value)
        return self.half.pack(self.half.narrow4(value))

    def load(self, i: int, quad: Expr) -> Expr:
        words = self.staged[i * self.piece + quad]
        if self.half is None:
            return let(extern("float32x4", "bitcast<vec4<f32>>", words))
        kept = self.k.local(1, self.half.quad)
        store(kept, self.half.unpack(words), 0)
        return kept[0]

    def factor(self, i: int) -> Expr | None:
        if self.spec.prologue.norm != "rms" or self.early:
            return None
        if i == 0:
            self.totals.put(self.thread, self.squares[0])
        return self._rsqrt(self.totals.of(i), self.spec.prologue.epsilon)

    def _value(self, quad: Expr) -> Expr:
        """Four values of the invocation's own token before the norm."""
        if self.splits is not None:
            return self.splits.quad(quad)
        value = self.x[self.token, quad]
        if self.skip is None:
            return value
        normed = value * vec4(self.sum_factor[0]) * self.vectors.quad("sum", quad)
        return self.skip[self.token, quad] + normed

    def _centred(self, quad: Expr) -> Expr:
        return let(self._value(quad) - vec4(self.mean[0]))

    def _normed(self, value: Expr, quad: Expr) -> Expr:
        """The norm of four values, but for RMSNorm's factor where that comes late."""
        kind = self.spec.prologue.norm
        if kind == "none":
            return value
        if self.early:
            value = value * vec4(self.scale[0])
        if kind == "rms":
            return value * self.vectors.quad("norm", quad)
        scaled = (value - vec4(self.mean[0])) * vec4(self.scale[0])
        return scaled * self.vectors.quad("norm", quad) + self.vectors.quad("norm_bias", quad)

    def _total(self, term: Callable[[Expr], Expr]) -> Expr:
        """The sum of a term over the invocation's own token."""
        partial = self.k.local(1)
        store(partial, f32(0), 0)
        with loop(ceil_div(self.quads, self.lanes)) as step:
            quad = step * self.lanes + self.lane
            with when(quad < self.quads):
                store(partial, partial[0] + term(quad), 0)
        self.totals.put(self.thread, partial[0])
        return self.totals.of(self.row)

    def _rsqrt(self, total: Expr, epsilon: float) -> Expr:
        return tirx.rsqrt(total / f32(self.spec.columns) + f32(epsilon))

    def _kept(self, value: Expr) -> Expr:
        kept = self.k.local(1)
        store(kept, value, 0)
        return kept


class Vectors:
    """The vectors of a layer, one after the other in one buffer; see `specs.vectors`."""

    def __init__(self, lengths: Mapping[str, int]) -> None:
        self._starts: dict[str, int] = {}
        self._size = 0
        for name, length in lengths.items():
            self._starts[name] = self._size
            self._size += length
        self._buffer: Expr = None

    def declare(self, k: Builder) -> None:
        """Declares the buffer, `bias` where it holds nothing else, if there is any vector."""
        name = "bias" if list(self._starts) == ["bias"] else "vectors"
        if self._starts:
            self._buffer = k.buffer(name, (self._size,), "float32")

    def value(self, name: str, index: Expr) -> Expr:
        return self._buffer[self._starts[name] + index]

    def quad(self, name: str, quad: Expr) -> Expr:
        return vec4(*(self.value(name, quad * 4 + j) for j in range(4)))


class Totals(Protocol):
    """Sums over the invocations of each token."""

    def put(self, thread: Expr, value: Expr) -> None:
        """Takes one value from every invocation."""

    def of(self, row: Expr) -> Expr:
        """A token's sum of what was put last."""


def make_totals(k: Builder, lanes: int) -> Totals:
    """Invocations lanes * row .. lanes * (row + 1) - 1 belong to token `row`. Subgroups may be of
    several tokens, so they only help where there is one."""
    if k.language.subgroups and lanes == k.threads:
        prepare(k)
        return _WholeTotals(k)
    return _TokenTotals(k, k.threads, lanes)


class _WholeTotals:
    """For one token, by subgroups."""

    def __init__(self, k: Builder) -> None:
        self.k = k
        self.total: Expr = None

    def put(self, thread: Expr, value: Expr) -> None:
        self.total = combine(self.k, thread, value, self.k.threads, operator.add)

    def of(self, row: Expr) -> Expr:
        return self.total


class _TokenTotals:
    """For any number of tokens, in two rounds through workgroup memory."""

    def __init__(self, k: Builder, threads: int, lanes: int) -> None:
        self.lanes = lanes
        self.side = next(s for s in (16, 8, 4, 2, 1) if s * s <= lanes and lanes % s == 0)
        self.first, self.second = k.shared(threads), k.shared(threads)

    def put(self, thread: Expr, value: Expr) -> None:
        store(self.first, value, thread)
        start = thread // self.side * self.side
        store(self.second, _fold(self.first, start, 1, self.side), thread)

    def of(self, row: Expr) -> Expr:
        return _fold(self.second, row * self.lanes, self.side, self.lanes // self.side)


def _fold(memory: Expr, start: Expr, stride: int, count: int) -> Expr:
    return reduce(operator.add, (memory[start + i * stride] for i in range(count)))
