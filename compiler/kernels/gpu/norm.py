"""RMSNorm and LayerNorm over the last axis: one workgroup a row."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import cache

from tvm import tirx

from compiler.kernels.dsl import (
    Expr,
    KernelFunction,
    ceil_div,
    f32,
    loop,
    store,
    when,
)
from compiler.kernels.gpu.dsl import Builder, finished, kernel
from compiler.kernels.gpu.language import BASE, Language
from compiler.kernels.gpu.reduce import combine, prepare

THREADS = 64


@cache
def rms_norm(rows: int, columns: int, epsilon: float, language: Language = BASE) -> KernelFunction:
    """x (rows, columns), weight (columns,) -> out = x rsqrt(mean(x^2) + epsilon) weight."""
    with kernel(f"rms_norm_{rows}x{columns}", language) as k:
        x = k.buffer("x", (rows, columns), "float32")
        weight = k.buffer("weight", (columns,), "float32")
        out = k.buffer("out", (rows, columns), "float32", write=True)
        (row,), (thread,) = k.launch((rows,), (THREADS,), rows_axis=0)
        prepare(k)
        squares = row_sum(k, thread, columns, lambda i: x[row, i] * x[row, i])
        scale = k.local(1)
        store(scale, tirx.rsqrt(squares / f32(columns) + f32(epsilon)), 0)
        for_columns(thread, columns, lambda i: store(out, x[row, i] * scale[0] * weight[i], row, i))
    return finished(k)


@cache
def add_norm(rows: int, columns: int, epsilon: float, language: Language = BASE) -> KernelFunction:
    """x, skip (rows, columns), weight (columns,) -> out = skip + rms_norm(x) weight."""
    with kernel(f"add_norm_{rows}x{columns}", language) as k:
        x = k.buffer("x", (rows, columns), "float32")
        skip = k.buffer("skip", (rows, columns), "float32")
        weight = k.buffer("weight", (columns,), "float32")
        out = k.buffer("out", (rows, columns), "float32", write=True)
        (row,), (thread,) = k.launch((rows,), (THREADS,), rows_axis=0)
        prepare(k)
        squares = row_sum(k, thread, columns, lambda i: x[row, i] * x[row, i])
        scale = k.local(1)
        store(scale, tirx.rsqrt(squares / f32(columns) + f32(epsilon)), 0)

        def write(i: Expr) -> None:
            store(out, skip[row, i] + x[row, i] * scale[0] * weight[i], row, i)

        for_columns(thread, columns, write)
    return finished(k)


@cache
def layer_norm(
    rows: int, columns: int, epsilon: float, language: Language = BASE
) -> KernelFunction:
    """x (rows, columns), weight, bias (columns,) -> (x - mean) rsqrt(var + epsilon) weight + bias.

    The variance is summed from differences to the mean, as PyTorch's is, not from squares.
    """
    with kernel(f"layer_norm_{rows}x{columns}", language) as k:
        x = k.buffer("x", (rows, columns), "float32")
        weight = k.buffer("weight", (columns,), "float32")
        bias = k.buffer("bias", (columns,), "float32")
        out = k.buffer("out", (rows, columns), "float32", write=True)
        (row,), (thread,) = k.launch((rows,), (THREADS,), rows_axis=0)
        prepare(k)
        mean, scale = k.local(1), k.local(1)
        store(mean, row_sum(k, thread, columns, lambda i: x[row, i]) / f32(columns), 0)
        variance = row_sum(
            k, thread, columns, lambda i: (x[row, i] - mean[0]) * (x[row, i] - mean[0])
        )
        store(scale, tirx.rsqrt(variance / f32(columns) + f32(epsilon)), 0)
        for_columns(
            thread,
            columns,
            lambda i: store(out, (x[row, i] - mean[0]) * scale[0] * weight[i] + bias[i], row, i),
        )
    return finished(k)


def row_sum(k: Builder, thread: Expr, columns: int, term: Callable[[Expr], Expr]) -> Expr:
    """Sum over a row by the whole workgroup; every invocation gets the result."""
    partial = k.local(1)
    store(partial, f32(0), 0)
    for_columns(thread, columns, lambda i: store(partial, partial[0] + term(i), 0))
    return combine(k, thread, partial[0], THREADS, operator.add)


def for_columns(thread: Expr, columns: int, body: Callable[[Expr], None]) -> None:
    """Runs `body(i)` for the columns this invocation owns."""
    with loop(ceil_div(columns, THREADS)) as step:
        column = step * THREADS + thread
        if columns % THREADS:
            with when(column < columns):
                body(column)
        else:
            body(column)
