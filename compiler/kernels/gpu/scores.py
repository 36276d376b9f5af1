"""What attention kernels share: the KV cache as they read it, and what becomes of a score."""

from __future__ import annotations

from tvm import tirx

from compiler.kernels.dsl import Expr, f32, select
from compiler.kernels.gpu.dsl import Builder, exp
from compiler.kernels.specs import Attend, CacheShape


class Cache:
    """A layer's keys and values, four at a time as vec4<f32>."""

    def __init__(self, k: Builder, shape: CacheShape) -> None:
        extents = (shape.context, 2, shape.kv_heads, shape.depth // 4)
        self._kv = k.cache(extents, quads=True)

    def key(self, position: Expr, kv_head: Expr, quad: Expr) -> Expr:
        return self._kv.read4(position, 0, kv_head, quad)

    def value(self, position: Expr, kv_head: Expr, quad: Expr) -> Expr:
        return self._kv.read4(position, 1, kv_head, quad)


class Heads:
    """What attention is told of each head, besides its query."""

    def __init__(self, k: Builder, spec: Attend) -> None:
        count = (spec.heads,)
        self._slopes = k.buffer("slopes", count, "float32") if spec.slopes else None
        self._sinks = k.buffer("sinks", count, "float32") if spec.sinks else None

    def bias(self, head: Expr, score: Expr, back: Expr) -> Expr:
        """The score of a position that is so far back."""
        if self._slopes is None:
            return score
        return score - self._slopes[head] * back.astype("float32")

    def highest(self, head: Expr, counts: Expr, lowest: float) -> Expr:
        """The maximum of a softmax before any position: that of the sink, where it `counts`."""
        if self._sinks is None:
            return f32(lowest)
        return select(counts, self._sinks[head], f32(lowest))

    def total(self, counts: Expr) -> Expr:
        """Its sum: of the sink alone, where it `counts`."""
        return f32(0) if self._sinks is None else select(counts, f32(1), f32(0))


def finish(spec: Attend, product: Expr) -> Expr:
    """The score that a query and a key with this product have."""
    scaled = product * f32(spec.scale)
    if not spec.softcap:
        return scaled
    cap = f32(spec.softcap)
    return cap * _tanh(scaled / cap)


def _tanh(x: Expr) -> Expr:
    """tanh without overflow for large x."""
    return f32(1) - f32(2) / (exp(tirx.min(x, f32(40)) * f32(2)) + f32(1))
