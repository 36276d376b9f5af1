"""Query/key norms, rotary embedding, the write to the KV cache; an item is a token's head."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from tvm import tirx

from compiler.bundle.schema import CONTROL_SLOTS, Control
from compiler.kernels.cpu.dsl import LANES, Builder, finished, kernel, load, splat, store4
from compiler.kernels.cpu.rows import each, total
from compiler.kernels.dsl import Expr, KernelFunction, both, f32, let, loop, store, when
from compiler.kernels.specs import Append


@cache
def append(spec: Append) -> KernelFunction:
    """Arguments: qkv | q, k, v; cos, sin (rows, rotary); query_norm, key_norm (depth,); control;
    kv (read and written); out, the query (rows, heads, depth)."""
    with kernel(f"append_{spec.rows}x{spec.heads}x{spec.cache.depth}") as k:
        body = _Body(k, spec)
        with k.call():
            body.head = k.workspace((spec.cache.depth,))
            with k.items(body.kinds * spec.rows) as item:
                body.run(let(item // body.kinds), let(item % body.kinds))
    return finished(k)


class _Body:
    """A head is brought to `head`, changed there, and copied to where it belongs."""

    head: Expr

    def __init__(self, k: Builder, spec: Append) -> None:
        self.k, self.spec = k, spec
        shape = spec.cache
        counts = (spec.heads, shape.kv_heads, shape.kv_heads)
        self.kinds = sum(counts)
        if spec.packed:
            self.packed = k.buffer("qkv", (spec.rows, self.kinds, shape.depth), "float32")
        else:
            self.parts = [
                k.buffer(n, (spec.rows, h, shape.depth), "float32")
                for n, h in zip("qkv", counts, strict=True)
            ]
        if spec.rotary:
            self.cos = k.buffer("cos", (spec.rows, spec.rotary), "float32")
            self.sin = k.buffer("sin", (spec.rows, spec.rotary), "float32")
        if spec.normed:
            self.query_norm, self.key_norm = (
                k.buffer(n, (shape.depth,), "float32") for n in ("query_norm", "key_norm")
            )
        self.control = k.buffer("control", (CONTROL_SLOTS,), "int32")
        cache_shape = (shape.context, 2, shape.kv_heads, shape.depth)
        self.kv = k.buffer("kv", cache_shape, "float32", write=True)
        self.out = k.buffer("out", (spec.rows, spec.heads, shape.depth), "float32", write=True)

    def run(self, row: Expr, kind: Expr) -> None:
        """`kind` counts query heads, then key heads, then value heads."""
        heads, kv_heads = self.spec.heads, self.spec.cache.kv_heads
        real = self.control[Control.COUNT] if self.spec.rows > 1 else 1
        with when(both(row < real, kind < heads)):
            self._read(row, kind, 0, kind)
            self._change(row, self.query_norm if self.spec.normed else None)
            self._copy(lambda i: store4(self.out, load(self.head, i), row, kind, i))
        local = let(kind - heads)
        with when(both(row < real, local >= 0, local < kv_heads)):
            self._read(row, kind, 1, local)
            self._change(row, self.key_norm if self.spec.normed else None)
            self._keep(row, 0, local)
        with when(both(row < real, local >= kv_heads)):
            self._read(row, kind, 2, local - kv_heads)
            self._keep(row, 1, local - kv_heads)

    def _copy(self, move: Callable[[Expr], None]) -> None:
        with loop(self.spec.cache.depth // LANES) as quad:
            move(quad * LANES)

    def _read(self, row: Expr, kind: Expr, part: int, local: Expr) -> None:
        source = self.packed if self.spec.packed else self.parts[part]
        index = kind if self.spec.packed else local
        self._copy(lambda i: store4(self.head, load(source, row, index, i), i))

    def _keep(self, row: Expr, which: int, kv_head: Expr) -> None:
        position = let(self.control[Control.POSITION] + row)
        going = self.control[Control.DONE] == 0
        with when(both(position < self.control[Control.CONTEXT], going)):
            self._copy(lambda i: store4(self.kv, load(self.head, i), position, which, kv_head, i))

    def _change(self, row: Expr, norm: Expr | None) -> None:
        if norm is not None:
            self._normalise(norm)
        if self.spec.rotary:
            self._rotate(row)

    def _normalise(self, weight: Expr) -> None:
        depth, head = self.spec.cache.depth, self.head
        squares = total(
            self.k, depth, lambda i: load(head, i) * load(head, i), lambda i: head[i] * head[i]
        )
        mean = squares / f32(depth)
        scale = let(f32(1) / tirx.sqrt(mean + f32(self.spec.epsilon)))
        self._copy(lambda i: store4(head, load(head, i) * splat(scale) * load(weight, i), i))

    def _rotate(self, row: Expr) -> None:
        """x cos + rotate_half(x) sin over the first `rotary` values."""
        half = self.spec.rotary // 2
        if half % LANES == 0:
            each(half, lambda i: self._turn4(row, i), lambda i: None)
        else:
            with loop(half) as i:
                self._turn1(row, i)

    def _turn4(self, row: Expr, i: Expr) -> None:
        j = i + self.spec.rotary // 2
        x, y = let(load(self.head, i)), let(load(self.head, j))
        store4(self.head, x * load(self.cos, row, i) - y * load(self.sin, row, i), i)
        store4(self.head, y * load(self.cos, row, j) + x * load(self.sin, row, j), j)

    def _turn1(self, row: Expr, i: Expr) -> None:
        j = i + self.spec.rotary // 2
        x, y = let(self.head[i]), let(self.head[j])
        store(self.head, x * self.cos[row, i] - y * self.sin[row, i], i)
        store(self.head, y * self.cos[row, j] + x * self.sin[row, j], j)
