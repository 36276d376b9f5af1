"""RMSNorm and LayerNorm over the last axis on a CPU; an item is a row."""

from __future__ import annotations

from functools import cache

from tvm import tirx

from compiler.kernels.cpu.dsl import finished, kernel, load, splat, store4
from compiler.kernels.cpu.rows import each, sum_of, total
from compiler.kernels.dsl import Expr, KernelFunction, f32, let, store


@cache
def rms_norm(rows: int, columns: int, epsilon: float) -> KernelFunction:
    """x (rows, columns), weight (columns,) -> out = x rsqrt(mean(x^2) + epsilon) weight."""
    with kernel(f"rms_norm_{rows}x{columns}") as k:
        x = k.buffer("x", (rows, columns), "float32")
        weight = k.buffer("weight", (columns,), "float32")
        out = k.buffer("out", (rows, columns), "float32", write=True)
        with k.call(), k.items(rows) as row:
            squares = total(
                k,
                columns,
                lambda i: load(x, row, i) * load(x, row, i),
                lambda i: x[row, i] * x[row, i],
            )
            scale = let(f32(1) / tirx.sqrt(squares / f32(columns) + f32(epsilon)))
            each(
                columns,
                lambda i: store4(out, load(x, row, i) * splat(scale) * load(weight, i), row, i),
                lambda i: store(out, x[row, i] * scale * weight[i], row, i),
            )
    return finished(k)


@cache
def layer_norm(rows: int, columns: int, epsilon: float) -> KernelFunction:
    """x (rows, columns), weight, bias (columns,) -> (x - mean) rsqrt(var + epsilon) weight + bias.

    The variance is summed from differences to the mean, as PyTorch's is, not from squares.
    """
    with kernel(f"layer_norm_{rows}x{columns}") as k:
        x = k.buffer("x", (rows, columns), "float32")
        weight = k.buffer("weight", (columns,), "float32")
        bias = k.buffer("bias", (columns,), "float32")
        out = k.buffer("out", (rows, columns), "float32", write=True)
        with k.call(), k.items(rows) as row:
            mean = let(sum_of(k, x, columns, row) / f32(columns))
            variance = total(
                k,
                columns,
                lambda i: (load(x, row, i) - splat(mean)) * (load(x, row, i) - splat(mean)),
                lambda i: (x[row, i] - mean) * (x[row, i] - mean),
            )
            scale = let(f32(1) / tirx.sqrt(variance / f32(columns) + f32(epsilon)))

            def four(i: Expr) -> None:
                normed = (load(x, row, i) - splat(mean)) * splat(scale)
                store4(out, normed * load(weight, i) + load(bias, i), row, i)

            def one(i: Expr) -> None:
                store(out, (x[row, i] - mean) * scale * weight[i] + bias[i], row, i)

            each(columns, four, one)
    return finished(k)
