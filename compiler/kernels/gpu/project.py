"""QKV projection, query/key norms, rotary embedding and the write to the KV cache, in one kernel.

An invocation owns pairs of values of a head that rotary embedding turns together, d and
d + rotary / 2, so that they meet in its registers. Values that are not turned are paired likewise.
With query/key norms a workgroup owns whole heads, whose squares meet in workgroup memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from tvm import tirx

from compiler.kernels.dsl import (
    Expr,
    KernelFunction,
    both,
    ceil_div,
    f32,
    let,
    loop,
    select,
    store,
    when,
)
from compiler.kernels.gpu import weights
from compiler.kernels.gpu.activations import Direct, Staged, Vectors
from compiler.kernels.gpu.dsl import Builder, finished, kernel, lane
from compiler.kernels.gpu.language import BASE, Language
from compiler.kernels.gpu.product import FEW, Product, Tiling
from compiler.kernels.specs import ProjectAppend, vectors

MOST_PAIRS = 1024  # of all tokens in a workgroup: their squares take 4 KiB of its memory


def default_tiling(spec: ProjectAppend) -> Tiling:
    """Matrix-vector, for a few vectors too: K is split between invocations, as the projections of a
    layer are narrow. Matrix-matrix: each invocation reuses what it reads. Norms set the width:
    whole heads."""
    few = spec.linear.rows <= FEW
    wanted = 32 if few else 64
    pairs = spec.append.cache.depth // 2
    width = max(1, wanted // pairs) * pairs if spec.append.normed else wanted
    split = max(1, 128 // width) if few else 1
    outputs = 4 if width <= 64 and not few else 2
    fitting = MOST_PAIRS // (width * outputs // 2)
    most = min(fitting, spec.linear.rows) if few else fitting
    rows = next(n for n in (8, 4, 2, 1) if width * split % n == 0 and n <= most)
    return Tiling(rows, width, split, outputs)


@cache
def project_append(
    spec: ProjectAppend, tiling: Tiling, language: Language = BASE
) -> KernelFunction:
    """Arguments: x; skip (with a sum); codes, scales (quantized); vectors (or bias), where there
    are any; place (rows, 1 + 2 rotary); kv (read and written); out, the query
    (rows, heads, depth), and after it the sum (where kept; see ProjectAppend).

    Raises ValueError for a tiling that cuts pairs, or heads that are normed.
    """
    pairs = spec.append.cache.depth // 2
    if tiling.outputs % 2 or (spec.append.normed and tiling.width % pairs):
        raise ValueError(f"{tiling} cuts heads of {spec.append.cache.depth}")
    with kernel(spec.name, language) as k:
        _Body(k, spec, tiling).write()
    return finished(k)


@dataclass(frozen=True)
class _Pair:
    """Two values of one head that are turned together."""

    number: Expr  # of all pairs of a token
    head: Expr  # query heads, then key heads, then value heads
    first: Expr  # which values of the head
    second: Expr
    turned: Expr  # whether rotary embedding turns them

    def rows(self, depth: int) -> list[Expr]:
        """Their weight rows."""
        return [let(self.head * depth + d) for d in (self.first, self.second)]


class _Body:
    def __init__(self, k: Builder, spec: ProjectAppend, tiling: Tiling) -> None:
        self.k, self.spec, self.tiling = k, spec, tiling
        self.cache, self.heads = spec.append.cache, spec.append.heads
        self._declare()
        pairs_a_thread = tiling.outputs // 2
        covered = tiling.width * pairs_a_thread
        rows = spec.linear.rows
        grid = (ceil_div(spec.linear.width // 2, covered), ceil_div(rows, tiling.rows))
        (block, tile), self.threads = k.launch(grid, (tiling.width, tiling.split), rows_axis=1)
        self.m = tile * tiling.rows
        first = block * covered + self.threads[0]
        self.pairs = [self._pair(first + i * tiling.width) for i in range(pairs_a_thread)]
        if isinstance(self.x, Direct):
            self.x.begin(self.m)
        else:
            thread = self.threads[1] * tiling.width + self.threads[0]
            before = spec.linear.prologue.sum
            store_sum = self._store_sum if before is not None and before.kept else None
            self.x.begin(self.m, thread, block == 0, store_sum)
        inside = self.pairs[0].number < spec.linear.width // 2
        weight_rows = [row for pair in self.pairs for row in pair.rows(self.cache.depth)]
        arguments = (k, tiling, self.x, self.weight, self.threads, weight_rows, inside)
        self.product = Product(*arguments)
        self.weight_rows = weight_rows

    def _declare(self) -> None:
        k, linear, append = self.k, self.spec.linear, self.spec.append
        self.vectors = Vectors(vectors(linear, append))
        if linear.prologue.empty:
            self.x: Direct | Staged = Direct(k, linear)
        else:
            self.x = Staged(k, linear, self.tiling, self.vectors)
        self.weight = weights.declare(k, linear.scheme, linear.width, linear.columns)
        self.vectors.declare(k)
        self.place = k.buffer("place", (linear.rows, 1 + 2 * append.rotary), "float32")
        shape = (self.cache.context, 2, self.cache.kv_heads, self.cache.depth)
        self.kv = k.cache(shape, quads=False, write=True)
        self.out = k.buffer("out", (self.spec.size,), "float32", write=True)

    def _store_sum(self, token: Expr, quad: Expr, value: Expr) -> None:
        start = self.spec.sum_start + token * self.spec.linear.columns + quad * 4
        for j in range(4):
            store(self.out, lane(value, j), start + j)

    def _pair(self, number: Expr) -> _Pair:
        """Pair `number` of a token, of as many as its heads have."""
        pairs, turned = self.cache.depth // 2, self.spec.append.rotary // 2
        kept = let(number)
        head, p = let(kept // pairs), let(kept % pairs)
        if turned == pairs:
            return _Pair(kept, head, p, p + turned, self._is_rotated(head))
        if turned == 0:
            return _Pair(kept, head, p, p + pairs, tirx.const(False, "bool"))
        first = let(select(p < turned, p, p + turned))
        second = let(select(p < turned, p + turned, p + pairs))
        return _Pair(kept, head, first, second, both(p < turned, self._is_rotated(head)))

    def _is_rotated(self, head: Expr) -> Expr:
        return head < self.heads + self.cache.kv_heads

    def write(self) -> None:
        """Finishes each pair in registers and writes it once."""
        factors = self._norm_factors() if self.spec.append.normed else None
        for number, pair in enumerate(self.pairs):
            inside = pair.number < self.spec.linear.width // 2
            with when(both(self.threads[1] == 0, inside)):
                for i in range(self.tiling.rows):
                    with when(self.m + i < self.spec.linear.rows):
                        self._write_pair(pair, number, i, factors)

    def _write_pair(self, pair: _Pair, number: int, i: int, factors: Sequence[Expr] | None) -> None:
        values = self._projected(number, i)
        if factors is not None:
            factor = factors[number * self.tiling.rows + i]
            values = [
                let(self._normed(pair, d, value, factor))
                for d, value in zip((pair.first, pair.second), values, strict=True)
            ]
        token = self.m + i
        for d, value in zip(
            (pair.first, pair.second), self._turned(pair, token, values), strict=True
        ):
            self._store(pair.head, token, d, let(value))

    def _projected(self, number: int, i: int) -> list[Expr]:
        """Both values of a pair after the bias."""
        values = []
        for row in (2 * number, 2 * number + 1):
            value = self.product.sum(row, i)
            if self.spec.linear.bias:
                value = value + self.vectors.value("bias", self.weight_rows[row])
            values.append(let(value))
        return values

    def _norm_factors(self) -> list[Expr]:
        """1 / the root mean square of each pair's head, by pair and token."""
        width, depth = self.tiling.width, self.cache.depth
        lanes = depth // 2
        tx = self.threads[0]
        count = len(self.pairs) * self.tiling.rows
        squares, factors = self.k.shared(count * width), self.k.local(count)
        for index in range(count):
            a, b = self._projected(*divmod(index, self.tiling.rows))
            last = self.spec.linear.width // 2
            inside = self.pairs[index // self.tiling.rows].number < last
            store(squares, select(inside, a * a + b * b, f32(0)), index * width + tx)
        for index in range(count):
            start = index * width + tx // lanes * lanes
            store(factors, f32(0), index)
            with loop(lanes) as other:
                store(factors, factors[index] + squares[start + other], index)
            mean = factors[index] / f32(depth) + f32(self.spec.append.epsilon)
            store(factors, tirx.rsqrt(mean), index)
        return [factors[index] for index in range(count)]

    def _normed(self, pair: _Pair, d: Expr, value: Expr, factor: Expr) -> Expr:
        query, key = (self.vectors.value(name, d) for name in ("query_norm", "key_norm"))
        weight = select(pair.head < self.heads, query, key)
        return select(self._is_rotated(pair.head), value * factor * weight, value)

    def _turned(self, pair: _Pair, token: Expr, values: Sequence[Expr]) -> Sequence[Expr]:
        """x cos + rotate_half(x) sin."""
        rotary = self.spec.append.rotary
        if not rotary:
            return values
        a, b = values
        turned = []
        for d, own, crossed in ((pair.first, a, -b), (pair.second, b, a)):
            column = tirx.min(d, rotary - 1)
            cos, sin = self.place[token, 1 + column], self.place[token, 1 + rotary + column]
            turned.append(select(pair.turned, own * cos + crossed * sin, own))
        return turned

    def _store(self, head: Expr, token: Expr, d: Expr, value: Expr) -> None:
        """Queries go to the result; keys and values where `place` says, or nowhere."""
        with when(head < self.heads):
            store(self.out, value, (token * self.heads + head) * self.cache.depth + d)
        position = let(self.place[token, 0].astype("int32"))
        with when(both(head >= self.heads, position >= 0)):
            local = head - self.heads
            kind, kv_head = local // self.cache.kv_heads, local % self.cache.kv_heads
            self.kv.write(value, position, kind, kv_head, d)
