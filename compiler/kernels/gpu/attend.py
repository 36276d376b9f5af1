"""Causal attention of one new token over the KV cache: positions split between workgroups.

A workgroup works on one part of the positions and on query heads that share keys and values, which
are thus read once. The softmax is computed online over blocks of positions (Milakov and Gimelshein,
arXiv 1805.02867; FlashAttention, Dao et al., arXiv 2205.14135). What the splits found is combined
by the kernel that reads it, or there is one split.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cache

from tvm import tirx

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
    select,
    store,
    when,
)
from compiler.kernels.gpu import prompt
from compiler.kernels.gpu.dsl import Builder, dot, exp, extern, finished, kernel, lane, vec4
from compiler.kernels.gpu.language import BASE, Language
from compiler.kernels.gpu.reduce import fold
from compiler.kernels.gpu.scores import Cache, Heads, finish
from compiler.kernels.gpu.splits import MOST_SHARES
from compiler.kernels.specs import Attend

THREADS = 64
MOST_HEADS = 8
MOST_PIECES = 16
PLACES = 4  # positions an invocation scores at a time, with one read of the query
AHEAD = 8  # values an invocation has on their way at a time
MEMORY = 16384  # bytes of workgroup memory that every device has
# Splits: enough workgroups for a large GPU and for a long context, and no more, as every workgroup
# of the output projection reads what each split found, and idle ones cost a little too.
WANTED = 64
SHARE = 64  # bytes of each position's keys and values for a workgroup; 256 KiB of 4096 positions
MOST_SPLITS = 16


@dataclass(frozen=True)
class Shape:
    """How a workgroup's invocations share the work; depends on heads and depth alone."""

    quads: int  # vec4s of a head
    heads: int  # query heads of a workgroup

    @property
    def lanes(self) -> int:
        """Neighbouring invocations that share a key, so that they read neighbouring vec4s."""
        return next(n for n in (4, 2, 1) if self.quads % n == 0)

    @property
    def block(self) -> int:
        """Positions at a time."""
        return THREADS // self.lanes * PLACES

    @property
    def pieces(self) -> int:
        """Invocations that share a head's softmax."""
        return min(MOST_PIECES, THREADS >> (self.heads - 1).bit_length())

    @property
    def slices(self) -> int:
        """Invocations that own the same values of a head, of other positions: a power of two."""
        return 1 << max(0, (THREADS // self.quads).bit_length() - 1)

    @property
    def columns(self) -> int:
        """vec4s of a head that an invocation owns."""
        return ceil_div(self.quads, THREADS)

    @property
    def products(self) -> int:
        """Floats for the lanes' parts of products, and later for the slices' sums."""
        return self.lanes * self.lane_stride

    @property
    def lane_stride(self) -> int:
        return self.heads * self.block + 8  # lanes write to different banks

    @property
    def bytes(self) -> int:
        """Workgroup memory."""
        floats = self.products + self.heads * (4 * self.quads + self.block + self.pieces + 1)
        return floats * 4


def shape_of(spec: Attend) -> Shape:
    """As many heads of one key/value head as fit."""
    shared = spec.heads // spec.cache.kv_heads
    counts = [n for n in range(min(shared, MOST_HEADS), 0, -1) if shared % n == 0]
    shapes = [Shape(spec.cache.depth // 4, count) for count in counts]
    return next((shape for shape in shapes if shape.bytes <= MEMORY), shapes[-1])


def default_splits(spec: Attend) -> int:
    """How many workgroups share the positions of a head; 1 for prompts, which have many rows."""
    shape = shape_of(spec)
    if spec.rows > 1:
        return 1
    blocks = ceil_div(spec.window or spec.cache.context, shape.block)
    wanted = min(WANTED, spec.cache.bytes_per_token // SHARE)
    splits = ceil_div(wanted, spec.heads // shape.heads)
    return max(1, min(splits, MOST_SPLITS, blocks, MOST_SHARES // spec.heads))


@cache
def attend(spec: Attend, language: Language = BASE) -> KernelFunction:
    """Arguments: query (rows, heads, depth), kv, control; slopes, sinks (heads,) (where present);
    out, as query. With splits: out (splits, heads, depth) and log_sums (splits, heads), LOWEST for
    splits without a position, whose values are not written. depth % 4 == 0."""
    if spec.rows > 1:
        return prompt.attend(spec, language)
    name = f"attend_{spec.splits}x{spec.heads}x{spec.cache.depth}"
    with kernel(name, language) as k:
        _Body(k, spec, shape_of(spec)).run()
    return finished(k)


class _Body:
    def __init__(self, k: Builder, spec: Attend, shape: Shape) -> None:
        self.k, self.spec, self.shape = k, spec, shape
        self.query = k.buffer("query", (spec.heads, shape.quads), "float32x4")
        self.cache = Cache(k, spec.cache)
        self.control = k.buffer("control", (CONTROL_SLOTS,), "int32")
        self.heads = Heads(k, spec)
        out = (spec.splits, spec.heads, shape.quads)
        self.out = k.buffer("out", out, "float32x4", write=True)
        if spec.splits > 1:
            self.log_sums = k.buffer("log_sums", out[:2], "float32", write=True)
        grid = (spec.heads // shape.heads, spec.splits)
        (group, self.split), (self.thread,) = k.launch(grid, (THREADS,))
        self.head = group * shape.heads
        self.kv_head = self.head // (spec.heads // spec.cache.kv_heads)
        # Softmax: of n pieces, invocation n h + i looks at positions i, i + n, ... of head h.
        self.own_head, self.piece = self.thread // shape.pieces, self.thread % shape.pieces

    def run(self) -> None:
        self._allocate()
        self._range()
        # A loop of one round or none: TVM puts no barriers into conditions.
        with loop(select(self.begin < self.end, 1, 0)):
            self._stage_query()
            block = self.shape.block
            with loop((self.end - self.begin + (block - 1)) // block) as step:
                start = self.begin + step * block
                self._multiply(start)
                self._softmax(start)
                self._accumulate(start)
            self._finish()
        if self.spec.splits > 1:
            idle = both(self.begin >= self.end, self.thread < self.shape.heads)
            with when(idle):
                store(self.log_sums, f32(LOWEST), self.split, self.head + self.thread)

    def _allocate(self) -> None:
        k, shape = self.k, self.shape
        # As integers: TVM would let f32 scalars share the memory of f32 vectors that are not needed
        # any more, which WGSL cannot spell.
        self.staged = k.shared(shape.heads * shape.quads, "uint32x4")
        self.products = k.shared(shape.products)
        self.tops = k.shared(shape.heads * shape.pieces)
        self.weights = k.shared(shape.heads * shape.block)
        self.factors = k.shared(shape.heads)
        self.highest, self.total = k.local(1), k.local(1)
        self.sums = k.local(shape.heads * shape.columns, "float32x4")
        own = self.head + tirx.min(self.own_head, shape.heads - 1)
        first = self.split == 0
        store(self.highest, self.heads.highest(own, first, LOWEST), 0)
        store(self.total, self.heads.total(both(first, self.piece == 0)), 0)
        for index in range(shape.heads * shape.columns):
            store(self.sums, vec4(f32(0)), index)

    def _range(self) -> None:
        """The split's positions, from a whole number of blocks after the first that is seen."""
        spec, block = self.spec, self.shape.block
        end = let(self.control[Control.POSITION] + 1)
        first = let(maximum(end - spec.window, 0)) if spec.window else 0
        share = let(_ceil_div(end - first, spec.splits * block) * block)
        self.begin = let(first + self.split * share)
        self.end = let(tirx.min(self.begin + share, end))

    def _stage_query(self) -> None:
        count = self.shape.heads * self.shape.quads
        with loop(ceil_div(count, THREADS)) as step:
            index = step * THREADS + self.thread
            with when(index < count):
                quads = self.shape.quads
                value = self.query[self.head + index // quads, index % quads]
                store(self.staged, extern("uint32x4", "bitcast<vec4<u32>>", value), index)

    def _multiply(self, start: Expr) -> None:
        """Each lane's part of the products of queries and keys of a block."""
        k, shape = self.k, self.shape
        own, place = self.thread % shape.lanes, self.thread // shape.lanes
        across = THREADS // shape.lanes
        products, keys = k.local(shape.heads * PLACES), k.local(PLACES, "float32x4")
        for index in range(shape.heads * PLACES):
            store(products, f32(0), index)
        with loop(shape.quads // shape.lanes) as step:
            quad = step * shape.lanes + own
            for p in range(PLACES):  # those past the end read the last one again, for nothing
                position = tirx.min(start + p * across + place, self.end - 1)
                store(keys, self.cache.key(position, self.kv_head, quad), p)
            for head in range(shape.heads):
                query = let(_floats(self.staged[head * shape.quads + quad]))
                for p in range(PLACES):
                    index = head * PLACES + p
                    store(products, products[index] + dot(query, keys[p]), index)
        for head in range(shape.heads):
            for p in range(PLACES):
                index = own * shape.lane_stride + head * shape.block + p * across + place
                store(self.products, products[head * PLACES + p], index)

    def _softmax(self, start: Expr) -> None:
        """The weights of a block, and the factors of what was summed before."""
        shape = self.shape
        count = shape.block // shape.pieces
        head = let(tirx.min(self.own_head, shape.heads - 1))
        scores, top = self.k.local(count), self.k.local(1)
        store(top, f32(LOWEST), 0)
        for i in range(count):
            place = i * shape.pieces + self.piece
            at = [n * shape.lane_stride + head * shape.block + place for n in range(shape.lanes)]
            product = self.products[at[0]]
            for other in at[1:]:
                product = product + self.products[other]
            seen = start + place < self.end
            back = self.control[Control.POSITION] - (start + place)
            score = self.heads.bias(self.head + head, finish(self.spec, product), back)
            store(scores, select(seen, score, f32(LOWEST)), i)
            store(top, maximum(top[0], scores[i]), 0)
        owned = self.own_head < shape.heads
        with when(owned):
            store(self.tops, top[0], self.thread)
        block = fold(self.tops, head * shape.pieces, shape.pieces, maximum)
        highest = let(maximum(self.highest[0], block))
        rescale = let(exp(self.highest[0] - highest))
        store(self.total, self.total[0] * rescale, 0)
        for i in range(count):
            weight = let(exp(scores[i] - highest))
            store(self.total, self.total[0] + weight, 0)
            with when(owned):
                store(self.weights, weight, head * shape.block + i * shape.pieces + self.piece)
        with when(both(owned, self.piece == 0)):
            store(self.factors, rescale, head)
        store(self.highest, highest, 0)

    def _accumulate(self, start: Expr) -> None:
        """sums = sums * factors + weights x values over the block."""
        shape = self.shape
        for head in range(shape.heads):
            for c in range(shape.columns):
                index = head * shape.columns + c
                store(self.sums, self.sums[index] * vec4(self.factors[head]), index)
        count = let(tirx.min(self.end - start, shape.block))
        ahead = min(AHEAD, shape.block // shape.slices)
        with loop(_ceil_div(count, shape.slices * ahead)) as step:
            places = [(step * ahead + i) * shape.slices + self._slice for i in range(ahead)]
            for c in range(shape.columns):
                self._add(start, places, c)

    def _add(self, start: Expr, places: list[Expr], c: int) -> None:
        """Values of a few places of the block; those past the end have no weight."""
        shape = self.shape
        values = self.k.local(len(places), "float32x4")
        for i, place in enumerate(places):
            position = tirx.min(start + place, self.end - 1)
            store(values, self.cache.value(position, self.kv_head, self._column(c)), i)
        for head in range(shape.heads):
            index = head * shape.columns + c
            total = self.sums[index]
            for i, place in enumerate(places):
                total = total + values[i] * vec4(self.weights[head * shape.block + place])
            store(self.sums, total, index)

    @property
    def _slice(self) -> Expr:
        """Which positions of a block the invocation sums; those too many repeat the last."""
        last = self.shape.slices - 1
        return tirx.min(self.thread // self.shape.quads, last) if last else 0

    def _column(self, c: int) -> Expr:
        """The vec4 of the head that is the invocation's c-th."""
        if self.shape.columns == 1:
            return self.thread % self.shape.quads
        return tirx.min(self.thread + c * THREADS, self.shape.quads - 1)

    def _finish(self) -> None:
        """Sums over invocations, and writes the result."""
        shape, owned = self.shape, self.own_head < self.shape.heads
        with when(owned):
            store(self.tops, self.total[0], self.thread)
        head = let(tirx.min(self.own_head, shape.heads - 1))
        total = let(fold(self.tops, head * shape.pieces, shape.pieces, operator.add))
        with when(both(owned, self.piece == 0)):
            store(self.factors, f32(1) / total, head)
            if self.spec.splits > 1:
                log_sum = self.highest[0] + tirx.log(total)
                store(self.log_sums, log_sum, self.split, self.head + head)
        self._fold_slices()
        for head in range(shape.heads):
            for c in range(shape.columns):
                quad = self.thread + c * THREADS
                result = self.sums[head * shape.columns + c] * vec4(self.factors[head])
                with when(quad < shape.quads):
                    store(self.out, result, self.split, self.head + head, quad)

    def _fold_slices(self) -> None:
        """Adds up the slices, the upper half to the lower one, until the first has it all."""
        shape, half = self.shape, self.shape.slices // 2
        while half:
            width = half * shape.quads  # invocations of a half
            upper = self.thread - width
            with when(both(upper >= 0, upper < width)):
                for index in range(shape.heads * 4):
                    value = lane(self.sums[index // 4], index % 4)
                    store(self.products, value, index * width + upper)
            own = tirx.min(self.thread, width - 1)
            for head in range(shape.heads):
                parts = [self.products[(head * 4 + j) * width + own] for j in range(4)]
                store(self.sums, self.sums[head] + vec4(*parts), head)
            half //= 2


def _floats(value: Expr) -> Expr:
    """What integers in workgroup memory stand for."""
    return extern("float32x4", "bitcast<vec4<f32>>", value)


def _ceil_div(a: Expr, b: int) -> Expr:
    """At run time."""
    return (a + (b - 1)) // b
