"""Causal attention of new tokens over the KV cache, one workgroup per query head and token.

The softmax is computed online over blocks of positions (Milakov and Gimelshein, arXiv 1805.02867;
FlashAttention, Dao et al., arXiv 2205.14135): no score leaves the workgroup.
"""

from __future__ import annotations

import operator
from functools import cache

from tvm import tirx

from compiler.bundle.schema import CONTROL_SLOTS, Control
from compiler.kernels.dsl import (
    LOWEST,
    Expr,
    KernelFunction,
    ceil_div,
    f32,
    let,
    loop,
    maximum,
    select,
    store,
    when,
)
from compiler.kernels.gpu.dsl import (
    Builder,
    dot,
    exp,
    finished,
    kernel,
    vec4,
)
from compiler.kernels.gpu.language import BASE, Language
from compiler.kernels.gpu.reduce import combine, prepare
from compiler.kernels.specs import Attend

THREADS = 64


@cache
def attend(spec: Attend, language: Language = BASE) -> KernelFunction:
    """query (rows, heads, depth), kv, control -> out (rows, heads, depth). depth % 4 == 0."""
    name = f"attend_{spec.rows}x{spec.heads}x{spec.cache.depth}"
    with kernel(name, language) as k:
        _Body(k, spec).run()
    return finished(k)


class _Body:
    def __init__(self, k: Builder, spec: Attend) -> None:
        self.k, self.spec = k, spec
        self.quads = spec.cache.depth // 4
        shape = (spec.rows, spec.heads, self.quads)
        self.query = k.buffer("query", shape, "float32x4")
        cache_shape = (spec.cache.context, 2, spec.cache.kv_heads, self.quads)
        self.kv = k.cache(cache_shape, quads=True)
        self.control = k.buffer("control", (CONTROL_SLOTS,), "int32")
        self.out = k.buffer("out", shape, "float32x4", write=True)
        grid = (spec.heads, spec.rows)
        (self.head, self.row), (self.thread,) = k.launch(grid, (THREADS,), rows_axis=1)
        self.kv_head = self.head // (spec.heads // spec.cache.kv_heads)
        # Values: `slices` groups of invocations, each owning `columns` vec4s of the head.
        self.columns = ceil_div(self.quads, THREADS)
        self.slices = max(1, THREADS // self.quads)

    def run(self) -> None:
        k = self.k
        prepare(k)
        self.shared_query = k.shared(self.quads, "float32x4")
        with loop(self.columns) as step:
            quad = step * THREADS + self.thread
            with when(quad < self.quads):
                store(self.shared_query, self.query[self.row, self.head, quad], quad)
        self.weights = k.shared(THREADS)
        self.highest, self.total = k.local(1), k.local(1)
        self.sums = k.local(self.columns, "float32x4")
        store(self.highest, f32(LOWEST), 0)
        store(self.total, f32(0), 0)
        for c in range(self.columns):
            store(self.sums, vec4(f32(0)), c)
        self._blocks()
        self._write()

    def _blocks(self) -> None:
        """Walks the visible positions, THREADS at a time. The bounds are uniform."""
        end = let(self.control[Control.POSITION] + self.row + 1)
        if self.spec.rows > 1:
            end = let(select(self.row < self.control[Control.COUNT], end, 0))
        first = let(maximum(end - self.spec.window, 0)) if self.spec.window else 0
        with loop((end - first + (THREADS - 1)) // THREADS) as block:
            start = first + block * THREADS
            score = self._score(start + self.thread, end)
            rescale = self._softmax(score)
            self._accumulate(start, end, rescale)

    def _score(self, position: Expr, end: Expr) -> Expr:
        """The scaled score of one position per invocation; LOWEST past the end."""
        score = self.k.local(1)
        store(score, f32(LOWEST), 0)
        with when(position < end):
            store(score, f32(0), 0)
            with loop(self.quads) as quad:
                key = self.kv.read4(position, 0, self.kv_head, quad)
                store(score, score[0] + dot(self.shared_query[quad], key), 0)
            scaled = score[0] * f32(self.spec.scale)
            if self.spec.softcap:
                cap = f32(self.spec.softcap)
                scaled = cap * _tanh(scaled / cap)
            store(score, scaled, 0)
        return score[0]

    def _softmax(self, score: Expr) -> Expr:
        """Updates the running maximum and sum; returns the factor for what was summed before."""
        block = combine(self.k, self.thread, score, THREADS, maximum)
        highest = let(maximum(self.highest[0], block))
        rescale = let(exp(self.highest[0] - highest))
        weight = let(exp(score - highest))
        store(self.highest, highest, 0)
        store(self.total, self.total[0] * rescale + weight, 0)  # this invocation's share
        store(self.weights, weight, self.thread)
        return rescale

    def _accumulate(self, start: Expr, end: Expr, rescale: Expr) -> None:
        """sums = sums * rescale + weights x values over the block."""
        factor = let(vec4(rescale))
        for c in range(self.columns):
            store(self.sums, self.sums[c] * factor, c)
        piece = self.thread // self.quads if self.slices > 1 else 0
        count = let(tirx.min(end - start, THREADS))
        with loop(ceil_div(THREADS, self.slices)) as step:
            index = step * self.slices + piece
            weight = self.weights[tirx.min(index, THREADS - 1)]
            with when(index < count):
                for c in range(self.columns):
                    quad = self._column(c)
                    value = self.kv.read4(start + index, 1, self.kv_head, quad)
                    store(self.sums, self.sums[c] + value * vec4(weight), c)

    def _column(self, c: int) -> Expr:
        """The vec4 of the head that is this invocation's c-th."""
        if self.slices > 1:
            return self.thread % self.quads
        return tirx.min(self.thread + c * THREADS, self.quads - 1)

    def _write(self) -> None:
        total = combine(self.k, self.thread, self.total[0], THREADS, operator.add)
        partial = self.k.shared(THREADS, "float32x4")
        for c in range(self.columns):
            if self.slices > 1:
                store(partial, self.sums[0], self.thread)
                result = partial[self.thread]
                for piece in range(1, self.slices):
                    result = (
                        result + partial[tirx.min(self.thread + piece * self.quads, THREADS - 1)]
                    )
                self._store(self.thread, result, total)
            else:
                self._store(self.thread + c * THREADS, self.sums[c], total)

    def _store(self, quad: Expr, value: Expr, total: Expr) -> None:
        result = let(value * vec4(f32(1) / maximum(total, f32(1e-30))))
        with when(quad < self.quads):
            store(self.out, result, self.row, self.head, quad)


def _tanh(x: Expr) -> Expr:
    """tanh without overflow for large x."""
    return f32(1) - f32(2) / (exp(tirx.min(x, f32(40)) * f32(2)) + f32(1))
