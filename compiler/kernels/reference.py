"""What the hot kernels compute, in NumPy's f64 and in the plainest form: for self-tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from compiler.kernels.specs import Attend

F64Array = npt.NDArray[np.float64]


def linear(
    x: F64Array, weight: F64Array, bias: F64Array | None, residual: F64Array | None
) -> F64Array:
    """x (M, K), weight (N, K), bias (N,), residual (M, N) -> (M, N)."""
    out = x @ weight.T
    if bias is not None:
        out = out + bias
    return out if residual is None else out + residual


def attend(
    spec: Attend,
    query: F64Array,
    cache: F64Array,
    position: int,
    slopes: F64Array | None = None,
    sinks: F64Array | None = None,
) -> F64Array:
    """query (rows, heads, depth) at `position` on, cache (context, 2, kv_heads, depth), slopes and
    sinks (heads,) -> as query.

    Softmax attention, head by head; `window` keeps what is nearest only.
    """
    out = np.zeros(query.shape)
    for row in range(query.shape[0]):
        own = position + row
        end = own + 1 if spec.causal else position + query.shape[0]
        start = 0
        if spec.window:
            start, end = max(0, own + 1 - spec.window), min(end, own + spec.window)
        for head in range(spec.heads):
            kv_head = head * spec.cache.kv_heads // spec.heads
            keys, values = cache[start:end, :, kv_head].transpose(1, 0, 2)
            scores = keys @ query[row, head] * spec.scale
            if spec.softcap:
                scores = spec.softcap * np.tanh(scores / spec.softcap)
            if slopes is not None:
                scores = scores - slopes[head] * np.arange(end - start)[::-1]
            sink = scores.max() if sinks is None else sinks[head]
            highest = max(scores.max(), sink)
            weights = np.exp(scores - highest)
            total = weights.sum() + (0 if sinks is None else np.exp(sink - highest))
            out[row, head] = weights @ values / total
    return out
