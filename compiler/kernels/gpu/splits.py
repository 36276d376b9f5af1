"""What the splits of an attention found (compiler/kernels/gpu/attend.py), read as one result."""

from __future__ import annotations

from functools import cache

from tvm import tirx

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
from compiler.kernels.gpu.dsl import Builder, exp, finished, kernel, vec4
from compiler.kernels.specs import Combine

THREADS = 64
AHEAD = 4  # values an invocation has on their way at a time
MOST_SHARES = 512  # heads x splits: 4 KiB of workgroup memory


@cache
def combine(spec: Combine, depth: int) -> KernelFunction:
    """x (splits, heads, depth), log_sums (splits, heads) -> out (heads, depth)."""
    quads = spec.heads * depth // 4
    with kernel(f"combine_{spec.splits}x{spec.heads}x{depth}") as k:
        splits = Splits(k, spec, quads, THREADS)
        out = k.buffer("out", (quads,), "float32x4", write=True)
        (block,), (thread,) = k.launch((ceil_div(quads, THREADS),), (THREADS,))
        splits.begin(thread)
        quad = block * THREADS + thread
        with when(quad < quads):
            store(out, splits.quad(quad), quad)
    return finished(k)


class Splits:
    """One token's values before they are combined: x (splits, K) and log_sums (splits, heads)."""

    def __init__(self, k: Builder, spec: Combine, quads: int, threads: int) -> None:
        """`quads` vec4s of all heads; `threads` invocations."""
        self.k, self.spec, self.threads = k, spec, threads
        self.depth = quads // spec.heads
        self.x = k.buffer("x", (spec.splits, quads), "float32x4")
        self.log_sums = k.buffer("log_sums", (spec.splits, spec.heads), "float32")

    def begin(self, thread: Expr) -> None:
        """Finds out how much each split weighs, by the whole workgroup."""
        heads, splits = self.spec.heads, self.spec.splits
        self.logs = self.k.shared(heads * splits)
        self.shares = self.k.shared(heads * ceil_div(splits, AHEAD) * AHEAD)
        with loop(ceil_div(heads * splits, self.threads)) as step:
            index = step * self.threads + thread
            with when(index < heads * splits):
                store(self.logs, self.log_sums[index // heads, index % heads], index)
        # Splits are used in their order, so the first one that is not ends them.
        self.used = self.k.local(1, "int32")
        store(self.used, 0, 0)
        for split in range(splits):
            used = self.logs[split * heads] > f32(LOWEST)
            store(self.used, self.used[0] + select(used, 1, 0), 0)
        with loop(ceil_div(heads, self.threads)) as step:
            head = step * self.threads + thread
            with when(head < heads):
                self._share(head)

    def _share(self, head: Expr) -> None:
        """A head's softmax over its splits; those that are not used get nothing."""
        heads, splits = self.spec.heads, self.spec.splits
        top, total = self.k.local(1), self.k.local(1)
        store(top, f32(LOWEST), 0)
        with loop(self.used[0]) as split:
            store(top, maximum(top[0], self.logs[split * heads + head]), 0)
        store(total, f32(0), 0)
        with loop(self.used[0]) as split:
            store(total, total[0] + exp(self.logs[split * heads + head] - top[0]), 0)
        with loop(ceil_div(splits, AHEAD) * AHEAD) as split:
            log = self.logs[tirx.min(split, splits - 1) * heads + head]
            share = select(split < self.used[0], exp(log - top[0]) / total[0], f32(0))
            store(self.shares, share, split * heads + head)

    def quad(self, quad: Expr) -> Expr:
        """Four values of the token."""
        total, head = self.k.local(1, "float32x4"), let(quad // self.depth)
        store(total, vec4(f32(0)), 0)
        with loop((self.used[0] + (AHEAD - 1)) // AHEAD) as step:
            value = total[0]
            for i in range(AHEAD):  # those past the end repeat the last one, for nothing
                split = step * AHEAD + i
                x = self.x[tirx.min(split, self.used[0] - 1), quad]
                value = value + x * vec4(self.shares[split * self.spec.heads + head])
            store(total, value, 0)
        return total[0]
