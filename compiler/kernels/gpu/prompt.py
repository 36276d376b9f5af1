"""Attention of a prompt's tokens over the KV cache, or of a whole text's to each other, in tiles
(FlashAttention, Dao et al., arXiv 2205.14135).

A workgroup works on up to 32 queries that share keys and values: those of one key/value head, of
several tokens. Keys and values pass through its memory a block of positions at a time, and what it
reads there it uses for 4 queries; keys and queries pass in pieces of their depth. The softmax is
computed online: no score leaves the workgroup.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from compiler.bundle.schema import CONTROL_SLOTS, Control
from compiler.kernels.dsl import (
    LOWEST,
    Expr,
    KernelFunction,
    both,
    ceil_div,
    f32,
    let,
    loop,
    maximum,
    minimum,
    select,
    store,
    when,
)
from compiler.kernels.gpu.dsl import Builder, dot, extern, finished, kernel, lane, vec4
from compiler.kernels.gpu.language import BASE, Language
from compiler.kernels.gpu.reduce import fold
from compiler.kernels.gpu.scores import Cache, Heads, finish
from compiler.kernels.specs import Attend

OWN = 4  # queries of an invocation
ACROSS = 16  # invocations that share their queries, each scoring other positions
PLACES = 2  # positions an invocation scores
BLOCK = ACROSS * PLACES
STAGED = 576  # most vec4s in workgroup memory; with weights and maxima below 16 KiB
PIECE = 8  # most vec4s of a query or key at a time
WANTED = 64  # workgroups, where smaller tiles give them
FLOOR = LOWEST / 2  # above the score of what a token does not see, so that its weight is 0


@dataclass(frozen=True)
class Tile:
    """How queries, numbered by token and then by head, are shared out."""

    groups: int  # of OWN queries each

    @property
    def queries(self) -> int:
        return self.groups * OWN

    @property
    def threads(self) -> int:
        return self.groups * ACROSS


def default_tile(spec: Attend) -> Tile:
    """The larger one reads keys and values half as often."""
    large = Tile(8)
    workgroups = ceil_div(spec.rows * spec.heads, large.queries)
    return large if workgroups >= WANTED else Tile(4)


def attend(spec: Attend, language: Language) -> KernelFunction:
    """Arguments: query (rows, heads, depth), kv, control, slopes, sinks (heads,) (where present),
    out (rows, heads, depth).

    Rows that are padding get zeros. depth % 4 == 0.
    """
    return tiled(spec, default_tile(spec), language)


@cache
def tiled(spec: Attend, tile: Tile, language: Language = BASE) -> KernelFunction:
    """`attend` with a given tile."""
    name = f"attend_{spec.rows}x{spec.heads}x{spec.cache.depth}"
    with kernel(name, language) as k:
        _Body(k, spec, tile).run()
    return finished(k)


class _Body:
    def __init__(self, k: Builder, spec: Attend, tile: Tile) -> None:
        self.k, self.spec, self.tile = k, spec, tile
        self.quads = spec.cache.depth // 4
        self.piece = next(n for n in range(PIECE, 0, -1) if self.quads % n == 0)
        self.staged_values = next(n for n in (32, 16, 8, 4, 2, 1) if n * self.quads <= STAGED)
        self.columns = ceil_div(self.quads, ACROSS)
        shape = (spec.rows, spec.heads, self.quads)
        self.query = k.buffer("query", shape, "float32x4")
        self.cache = Cache(k, spec.cache)
        self.control = k.buffer("control", (CONTROL_SLOTS,), "int32")
        self.heads = Heads(k, spec)
        self.out = k.buffer("out", shape, "float32x4", write=True)
        self.shared_heads = spec.heads // spec.cache.kv_heads
        tiles = ceil_div(spec.rows * self.shared_heads, tile.queries)
        grid = (spec.cache.kv_heads, tiles)
        (self.kv_head, number), (self.thread,) = k.launch(grid, (tile.threads,), rows_axis=1)
        self.first_query = number * tile.queries
        self.group, self.across = self.thread // ACROSS, self.thread % ACROSS

    def run(self) -> None:
        self._allocate()
        blocks = self._range()
        with loop(blocks) as step:
            start = self.first + step * BLOCK
            self._multiply(start)
            self._softmax(start)
            with loop(ceil_div(BLOCK, self.staged_values)) as part:
                self._accumulate(start, part)
        self._write()

    def _allocate(self) -> None:
        k, tile = self.k, self.tile
        width = self.piece + 1  # so that neighbouring rows lie in different banks
        self.width = width
        size = max((BLOCK + tile.queries) * width, self.staged_values * self.quads)
        self.staged = k.shared(size, "float32x4")
        self.weights = k.shared(BLOCK * tile.groups, "float32x4")
        self.tops = k.shared(tile.threads, "float32x4")
        self.scores = k.local(OWN * PLACES)
        self.highest, self.total = k.local(1, "float32x4"), k.local(1, "float32x4")
        self.sums = k.local(OWN * self.columns, "float32x4")
        highest = [self.heads.highest(self._head(i), self.across >= 0, FLOOR) for i in range(OWN)]
        store(self.highest, vec4(*highest), 0)
        store(self.total, vec4(*[self.heads.total(self.across == 0)] * OWN), 0)
        for index in range(OWN * self.columns):
            store(self.sums, vec4(f32(0)), index)

    def _range(self) -> Expr:
        """The positions that some of the tile's tokens see, in blocks; returns how many."""
        spec, position = self.spec, self.control[Control.POSITION]
        real = let(minimum(self.control[Control.COUNT], spec.rows))
        first_row = self.first_query // self.shared_heads
        last_row = (self.first_query + self.tile.queries - 1) // self.shared_heads
        self.end = let(position + self._seen(minimum(last_row, real - 1), real))
        self.first = let(maximum(position + first_row + 1 - spec.window, 0)) if spec.window else 0
        self.ends = self.k.local(OWN, "int32")  # of what each own query sees; 0 for padding
        for i in range(OWN):
            row = self._row(i)
            store(self.ends, select(row < real, position + self._seen(row, real), 0), i)
        blocks = (self.end - self.first + (BLOCK - 1)) // BLOCK
        return let(select(first_row < real, blocks, 0))

    def _seen(self, row: Expr, real: Expr) -> Expr:
        """Where what a token sees of the run ends."""
        if self.spec.causal:
            return row + 1
        return minimum(row + self.spec.window, real) if self.spec.window else real

    def _row(self, i: int) -> Expr:
        """The token of own query i."""
        return (self.first_query + self.group * OWN + i) // self.shared_heads

    def _multiply(self, start: Expr) -> None:
        """scores = queries x keys of a block, a piece of the depth after the other."""
        for index in range(OWN * PLACES):
            store(self.scores, f32(0), index)
        with loop(self.quads // self.piece) as piece:
            self._stage(BLOCK, 0, lambda p, quad: self._key(start + p, piece, quad))
            self._stage(self.tile.queries, BLOCK, lambda m, quad: self._query(m, piece, quad))
            operands = self.k.local(OWN + PLACES, "float32x4")
            with loop(self.piece) as quad:
                for i in range(OWN):
                    row = BLOCK + self.group * OWN + i
                    store(operands, self.staged[row * self.width + quad], i)
                for p in range(PLACES):
                    row = p * ACROSS + self.across
                    store(operands, self.staged[row * self.width + quad], OWN + p)
                for p in range(PLACES):
                    for i in range(OWN):
                        product = dot(operands[i], operands[OWN + p])
                        index = p * OWN + i
                        store(self.scores, self.scores[index] + product, index)

    def _stage(self, count: int, first: int, read: Callable[[Expr, Expr], Expr]) -> None:
        """Rows first .. first + count - 1 of the staged piece, by the whole workgroup."""
        size = count * self.piece
        with loop(ceil_div(size, self.tile.threads)) as step:
            index = step * self.tile.threads + self.thread
            with when(index < size):
                row, quad = index // self.piece, index % self.piece
                store(self.staged, read(row, quad), (first + row) * self.width + quad)

    def _key(self, position: Expr, piece: Expr, quad: Expr) -> Expr:
        """Positions past the end repeat the last one."""
        inside = minimum(position, self.end - 1)
        return self.cache.key(inside, self.kv_head, piece * self.piece + quad)

    def _query(self, m: Expr, piece: Expr, quad: Expr) -> Expr:
        last = self.spec.rows * self.shared_heads - 1
        row, head = self._place(minimum(self.first_query + m, last))
        return self.query[row, head, piece * self.piece + quad]

    def _place(self, query: Expr) -> tuple[Expr, Expr]:
        """Token and head of one of the queries of the key/value head."""
        head = self.kv_head * self.shared_heads + query % self.shared_heads
        return query // self.shared_heads, head

    def _head(self, i: int) -> Expr:
        """The head of own query i; the last one's for those past the end."""
        last = self.spec.rows * self.shared_heads - 1
        query = self.first_query + self.group * OWN + i
        return self._place(minimum(query, last))[1]

    def _softmax(self, start: Expr) -> None:
        """The weights of a block; what was summed before is scaled to the new maximum."""
        tops, masked = self.k.local(1, "float32x4"), self.k.local(PLACES, "float32x4")
        for p in range(PLACES):
            position = start + p * ACROSS + self.across
            parts = [self._masked(position, i, self.scores[p * OWN + i]) for i in range(OWN)]
            store(masked, vec4(*parts), p)
        store(self.tops, _max4(masked[0], masked[1]), self.thread)
        store(tops, fold(self.tops, self.group * ACROSS, ACROSS, _max4), 0)
        store(tops, _max4(self.highest[0], tops[0]), 0)
        rescale = self.k.local(1, "float32x4")
        store(rescale, _exp4(self.highest[0] - tops[0]), 0)
        store(self.highest, tops[0], 0)
        store(self.total, self.total[0] * rescale[0], 0)
        for p in range(PLACES):
            store(masked, _exp4(masked[p] - tops[0]), p)
            store(self.total, self.total[0] + masked[p], 0)
            place = p * ACROSS + self.across
            store(self.weights, masked[p], place * self.tile.groups + self.group)
        for i in range(OWN):
            for c in range(self.columns):
                index = i * self.columns + c
                store(self.sums, self.sums[index] * vec4(lane(rescale[0], i)), index)

    def _masked(self, position: Expr, i: int, product: Expr) -> Expr:
        """The score of own query i at a position; LOWEST where it sees nothing."""
        seen = position < self.ends[i]
        if self.spec.window:
            after = self.ends[i]
            if not self.spec.causal:
                after = self.control[Control.POSITION] + self._row(i) + 1
            seen = both(seen, position >= after - self.spec.window)
        score = finish(self.spec, product)
        if self.spec.slopes:
            score = self.heads.bias(self._head(i), score, self.ends[i] - 1 - position)
        return select(seen, score, f32(LOWEST))

    def _accumulate(self, start: Expr, part: Expr) -> None:
        """sums += weights x values of a part of a block."""
        size, before = self.staged_values * self.quads, part * self.staged_values
        with loop(ceil_div(size, self.tile.threads)) as step:
            index = step * self.tile.threads + self.thread
            with when(index < size):
                position = minimum(start + before + index // self.quads, self.end - 1)
                value = self.cache.value(position, self.kv_head, index % self.quads)
                store(self.staged, value, index)
        weight, value = self.k.local(1, "float32x4"), self.k.local(1, "float32x4")
        with loop(self.staged_values) as place:
            store(weight, self.weights[(before + place) * self.tile.groups + self.group], 0)
            for c in range(self.columns):
                store(value, self.staged[place * self.quads + self._column(c)], 0)
                for i in range(OWN):
                    index = i * self.columns + c
                    term = value[0] * vec4(lane(weight[0], i))
                    store(self.sums, self.sums[index] + term, index)

    def _column(self, c: int) -> Expr:
        """The vec4 of the head that is the invocation's c-th; those too many repeat the last."""
        return minimum(c * ACROSS + self.across, self.quads - 1)

    def _write(self) -> None:
        store(self.tops, self.total[0], self.thread)
        total = self.k.local(1, "float32x4")
        store(total, fold(self.tops, self.group * ACROSS, ACROSS, operator.add), 0)
        for i in range(OWN):
            query = self.first_query + self.group * OWN + i
            row, head = self._place(query)
            factor = f32(1) / maximum(lane(total[0], i), f32(1e-30))
            for c in range(self.columns):
                quad = c * ACROSS + self.across
                inside = query < self.spec.rows * self.shared_heads
                with when(both(inside, quad < self.quads)):
                    result = self.sums[i * self.columns + c] * vec4(factor)
                    store(self.out, result, row, head, quad)


def _max4(a: Expr, b: Expr) -> Expr:
    return extern("float32x4", "max", a, b)


def _exp4(x: Expr) -> Expr:
    return extern("float32x4", "exp", x)
