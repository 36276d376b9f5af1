"""Query/key norms, rotary embedding, and the write to the KV cache: one workgroup per head."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import cache

from tvm import tirx

from compiler.bundle.schema import CONTROL_SLOTS, Control
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
from compiler.kernels.gpu.dsl import Builder, finished, kernel
from compiler.kernels.gpu.language import BASE, Language
from compiler.kernels.gpu.reduce import combine, prepare
from compiler.kernels.specs import Append

THREADS = 64


@cache
def append(spec: Append, language: Language = BASE) -> KernelFunction:
    """Arguments: qkv | q, k, v; cos, sin (rows, rotary); query_norm, key_norm (depth,); control;
    kv (read and written); out, the query (rows, heads, depth)."""
    name = f"append_{spec.rows}x{spec.heads}x{spec.cache.depth}"
    with kernel(name, language) as k:
        body = _Body(k, spec)
        body.run()
    return finished(k)


@cache
def place(rows: int, rotary: int) -> KernelFunction:
    """cos, sin (rows, rotary), where heads are turned; control -> out (rows, 1 + 2 rotary).

    For kernels without bindings to spare, one row a token: the position its keys and values go
    to, exact in f32, or -1 for padding, positions past the context and after the answer's end
    (beside a recurrent layer a token's are others the second time); then cos, then sin. All
    rows are written however few are real: a reader's workgroups may cover more of them.
    """
    columns = 1 + 2 * rotary
    with kernel(f"place_{rows}x{rotary}") as k:
        tables = [k.buffer(n, (rows, rotary), "float32") for n in ("cos", "sin")] if rotary else []
        control = k.buffer("control", (CONTROL_SLOTS,), "int32")
        out = k.buffer("out", (rows, columns), "float32", write=True)
        (block, row), (thread,) = k.launch((ceil_div(columns, THREADS), rows), (THREADS,))
        column = block * THREADS + thread
        position = let(control[Control.POSITION] + row)
        with when(column == 0):
            real = row < control[Control.COUNT] if rows > 1 else row < 1
            inside = both(real, position < control[Control.CONTEXT], control[Control.DONE] == 0)
            store(out, select(inside, position.astype("float32"), f32(-1)), row, 0)
        for index, table in enumerate(tables):
            d = column - 1 - index * rotary
            with when(both(d >= 0, d < rotary)):
                store(out, table[row, d], row, column)
    return finished(k)


class _Body:
    def __init__(self, k: Builder, spec: Append) -> None:
        self.k, self.spec = k, spec
        shape = spec.cache
        kinds = (spec.heads, shape.kv_heads, shape.kv_heads)
        if spec.packed:
            self.total = sum(kinds)
            self.packed = k.buffer("qkv", (spec.rows, self.total, shape.depth), "float32")
        else:
            self.parts = [
                k.buffer(n, (spec.rows, h, shape.depth), "float32")
                for n, h in zip("qkv", kinds, strict=True)
            ]
        if spec.rotary:
            self.cos = k.buffer("cos", (spec.rows, spec.rotary), "float32")
            self.sin = k.buffer("sin", (spec.rows, spec.rotary), "float32")
        if spec.normed:
            self.norms = [
                k.buffer(n, (shape.depth,), "float32") for n in ("query_norm", "key_norm")
            ]
        self.control = k.buffer("control", (CONTROL_SLOTS,), "int32")
        cache_shape = (shape.context, 2, shape.kv_heads, shape.depth)
        self.kv = k.cache(cache_shape, quads=False, write=True)
        self.out = k.buffer("out", (spec.rows, spec.heads, shape.depth), "float32", write=True)
        grid = (sum(kinds), spec.rows)
        (self.head, self.row), (self.thread,) = k.launch(grid, (THREADS,), rows_axis=1)

    def run(self) -> None:
        """Each invocation owns every THREADS-th value of its head."""
        if self.spec.normed:
            prepare(self.k)
            self._normalise()
        self._each(self._write)

    def _each(self, body: Callable[[Expr], None]) -> None:
        depth = self.spec.cache.depth
        with loop(ceil_div(depth, THREADS)) as step:
            d = step * THREADS + self.thread
            if depth % THREADS:
                with when(d < depth):
                    body(d)
            else:
                body(d)

    def _read(self, d: Expr) -> Expr:
        if self.spec.packed:
            return self.packed[self.row, self.head, d]
        query, key, value = self.parts
        heads, kv_heads = self.spec.heads, self.spec.cache.kv_heads
        # Clamped, because select evaluates both sides.
        of_query = query[self.row, tirx.min(self.head, heads - 1), d]
        local = tirx.max(self.head - heads, 0)
        of_key = key[self.row, tirx.min(local, kv_heads - 1), d]
        of_value = value[self.row, tirx.max(local - kv_heads, 0), d]
        is_key = self.head < heads + kv_heads
        return select(self.head < heads, of_query, select(is_key, of_key, of_value))

    def _normalise(self) -> None:
        """Reads the head into workgroup memory and finds the factor of its RMSNorm."""
        self.head_values = self.k.shared(self.spec.cache.depth)
        total, self.scale = self.k.local(1), self.k.local(1)
        store(total, f32(0), 0)

        def read(d: Expr) -> None:
            value = let(self._read(d))
            store(self.head_values, value, d)
            store(total, total[0] + value * value, 0)

        self._each(read)
        squares = combine(self.k, self.thread, total[0], THREADS, operator.add)
        scale = tirx.rsqrt(squares / f32(self.spec.cache.depth) + f32(self.spec.epsilon))
        store(self.scale, scale, 0)

    def _normed(self, d: Expr) -> Expr:
        if not self.spec.normed:
            return self._read(d)
        value = self.head_values[d]
        query, key = self.norms
        weight = select(self.head < self.spec.heads, query[d], key[d])
        is_value = self.head >= self.spec.heads + self.spec.cache.kv_heads
        return select(is_value, value, value * self.scale[0] * weight)

    def _write(self, d: Expr) -> None:
        spec = self.spec
        value = let(self._rotated(d) if spec.rotary else self._normed(d))
        with when(self.head < spec.heads):
            store(self.out, value, self.row, self.head, d)
        position = self.control[Control.POSITION] + self.row
        real = self.row < self.control[Control.COUNT] if spec.rows > 1 else self.row < 1
        inside = position < self.control[Control.CONTEXT]
        going = self.control[Control.DONE] == 0
        with when(both(self.head >= spec.heads, real, inside, going)):
            local = self.head - spec.heads
            kind, kv_head = local // spec.cache.kv_heads, local % spec.cache.kv_heads
            self.kv.write(value, position, kind, kv_head, d)

    def _rotated(self, d: Expr) -> Expr:
        """x cos + rotate_half(x) sin for query and key, over the first `rotary` values."""
        half = self.spec.rotary // 2
        other = select(d < half, d + half, d - half)
        other = tirx.max(tirx.min(other, self.spec.cache.depth - 1), 0)
        sign = select(d < half, f32(-1), f32(1))
        index = tirx.min(d, self.spec.rotary - 1)
        own = let(self._normed(d))
        crossed = sign * self._normed(other)
        turned = own * self.cos[self.row, index] + crossed * self.sin[self.row, index]
        is_value = self.head >= self.spec.heads + self.spec.cache.kv_heads
        return select(tirx.any(is_value, d >= self.spec.rotary), own, turned)
