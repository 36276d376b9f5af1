"""Attention of new tokens over the KV cache on a CPU; an item is a head of a token.

The softmax is computed online over blocks of positions (Milakov and Gimelshein, arXiv 1805.02867;
FlashAttention, Dao et al., arXiv 2205.14135), so that scores stay in the first-level cache.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from tvm import tirx

from compiler.bundle.schema import CONTROL_SLOTS, Control
from compiler.kernels.cpu.activations import tanh
from compiler.kernels.cpu.dsl import (
    LANES,
    Builder,
    exp,
    finished,
    kernel,
    lane,
    lane_sum,
    lane_sums,
    load,
    splat,
    store4,
)
from compiler.kernels.dsl import LOWEST, Expr, KernelFunction, f32, let, loop, when
from compiler.kernels.specs import Attend

BLOCK = 64  # positions whose scores are held at a time
SUMS = 4  # quads of the result summed at a time


@cache
def attend(spec: Attend) -> KernelFunction:
    """query (rows, heads, depth), kv, control, slopes, sinks (heads,) (where present) -> out (rows,
    heads, depth). depth % 4 == 0."""
    with kernel(f"attend_{spec.rows}x{spec.heads}x{spec.cache.depth}") as k:
        body = _Body(k, spec)
        with k.call():
            body.prepare()
            with k.items(spec.rows * spec.heads) as item:
                row, head = let(item // spec.heads), let(item % spec.heads)
                real = body.control[Control.COUNT] if spec.rows > 1 else 1
                with when(row < real):
                    body.run(row, head)
    return finished(k)


class _Body:
    def __init__(self, k: Builder, spec: Attend) -> None:
        self.k, self.spec = k, spec
        depth, kv_heads = spec.cache.depth, spec.cache.kv_heads
        self.query = k.buffer("query", (spec.rows, spec.heads, depth), "float32")
        self.kv = k.buffer("kv", (spec.cache.context, 2, kv_heads, depth), "float32")
        self.control = k.buffer("control", (CONTROL_SLOTS,), "int32")
        self.slopes = k.buffer("slopes", (spec.heads,), "float32") if spec.slopes else None
        self.sinks = k.buffer("sinks", (spec.heads,), "float32") if spec.sinks else None
        self.out = k.buffer("out", (spec.rows, spec.heads, depth), "float32", write=True)

    def prepare(self) -> None:
        """Memory of this thread."""
        self.weights = self.k.workspace((BLOCK,))
        self.highest, self.total = (self.k.register(dtype="float32") for _ in range(2))

    def run(self, row: Expr, head: Expr) -> None:
        """One head of one token; its result is summed where it will stay."""
        self.row, self.head = row, head
        self.kv_head = let(head // (self.spec.heads // self.spec.cache.kv_heads))
        first, end = self._range(row)
        self.highest.set(f32(LOWEST) if self.sinks is None else self.sinks[head])
        self.total.set(f32(0 if self.sinks is None else 1))
        self._each_quad(lambda quad: splat(0.0))
        with loop((end - first + (BLOCK - 1)) // BLOCK) as block:
            start = let(first + block * BLOCK)
            factor = self._softmax(self._scores(start, end))
            self._accumulate(start, let(tirx.min(end - start, BLOCK)), factor)
        scale = let(splat(f32(1) / self.total.value))
        self._each_quad(lambda quad: load(self.out, row, head, quad) * scale)

    def _range(self, row: Expr) -> tuple[Expr, Expr]:
        """The first position that the token of `row` sees, and the one after the last."""
        position, window = self.control[Control.POSITION], self.spec.window
        after = let(position + row + 1)
        first = let(tirx.max(after - window, 0)) if window else 0
        if self.spec.causal:
            return first, after
        end = position + self.control[Control.COUNT]
        return first, let(tirx.min(end, after - 1 + window) if window else end)

    def _each_quad(self, value: Callable[[Expr], Expr]) -> None:
        with loop(self.spec.cache.depth // LANES) as quad:
            store4(self.out, value(quad * LANES), self.row, self.head, quad * LANES)

    def _scores(self, start: Expr, end: Expr) -> Expr:
        """Writes the scores of one block to `weights`; gives the highest. LOWEST past the end."""
        highest = self.k.register(splat(LOWEST))
        with loop(BLOCK // LANES) as group:
            position = let(start + group * LANES)
            sums = [self.k.register(splat(0.0)) for _ in range(LANES)]
            # Past the end the last one again: what is there is not read.
            rows = [let(tirx.min(position + i, end - 1)) for i in range(LANES)]
            with loop(self.spec.cache.depth // LANES) as quad:
                query = let(load(self.query, self.row, self.head, quad * LANES))
                for key, total in zip(rows, sums, strict=True):
                    total.add_product(query, load(self.kv, key, 0, self.kv_head, quad * LANES))
            score = let(self._scaled(lane_sums([total.value for total in sums])))
            if self.slopes is not None:
                places = tirx.Ramp(position, 1, LANES) - tirx.Broadcast(end - 1, LANES)
                slope = splat(self.slopes[self.head])
                score = let(score + places.astype("float32x4") * slope)
            inside = tirx.Ramp(position, 1, LANES) < tirx.Broadcast(end, LANES)
            kept = let(tirx.Select(inside, score, splat(LOWEST)))
            store4(self.weights, kept, group * LANES)
            highest.set(tirx.max(highest.value, kept))
        best = let(highest.value)
        lanes = [lane(best, i) for i in range(LANES)]
        return let(tirx.max(tirx.max(lanes[0], lanes[1]), tirx.max(lanes[2], lanes[3])))

    def _scaled(self, score: Expr) -> Expr:
        scaled = score * splat(self.spec.scale)
        if not self.spec.softcap:
            return scaled
        cap = self.spec.softcap
        return splat(cap) * tanh(let(scaled / splat(cap)))

    def _softmax(self, block: Expr) -> Expr:
        """Scores to weights; gives the factor for what was summed before."""
        highest = let(tirx.max(self.highest.value, block))
        factor = let(lane(exp(splat(self.highest.value - highest)), 0))
        added = self.k.register(splat(0.0))
        with loop(BLOCK // LANES) as group:
            weight = let(exp(let(load(self.weights, group * LANES) - splat(highest))))
            store4(self.weights, weight, group * LANES)
            added.add(weight)
        self.highest.set(highest)
        self.total.set(self.total.value * factor + lane_sum(added.value))
        return factor

    def _accumulate(self, start: Expr, count: Expr, factor: Expr) -> None:
        """out = out * factor + weights x values over the block."""
        quads = self.spec.cache.depth // LANES
        side = next(n for n in (SUMS, 2, 1) if quads % n == 0)
        with loop(quads // side) as step:
            columns = [let((step * side + i) * LANES) for i in range(side)]
            sums = [
                self.k.register(load(self.out, self.row, self.head, c) * splat(factor))
                for c in columns
            ]
            with loop(count) as index:
                weight = let(splat(self.weights[index]))
                for column, total in zip(columns, sums, strict=True):
                    value = load(self.kv, start + index, 1, self.kv_head, column)
                    total.add_product(value, weight)
            for column, total in zip(columns, sums, strict=True):
                store4(self.out, total.value, self.row, self.head, column)
