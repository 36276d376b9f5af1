"""The first steps of a run: which tokens at which positions, and their embeddings."""

from __future__ import annotations

from functools import cache

from compiler.bundle.schema import Scheme
from compiler.kernels import tokens
from compiler.kernels.dsl import KernelFunction, ceil_div, let, maximum, minimum, store, when
from compiler.kernels.gpu import weights
from compiler.kernels.gpu.dsl import Builder, finished, kernel, lane

THREADS = 64


@cache
def inputs(rows: int, context: int, whole: bool = False) -> KernelFunction:
    """control, tokens -> ids, positions (rows,), as `tokens.inputs` says."""
    with kernel(f"{'whole' if whole else 'inputs'}_{rows}") as k:
        _each(k, rows, tokens.inputs(k, rows, context, whole))
    return finished(k)


@cache
def text(rows: int, context: int) -> KernelFunction:
    """control, tokens -> ids, real (rows,), as `tokens.text` says."""
    with kernel(f"text_{rows}") as k:
        _each(k, rows, tokens.text(k, rows, context))
    return finished(k)


def _each(k: Builder, rows: int, read: tokens.Statements) -> None:
    (block,), (thread,) = k.launch((ceil_div(rows, THREADS),), (THREADS,))
    row = block * THREADS + thread
    with when(row < rows):
        read(row)


@cache
def embed(rows: int, vocabulary: int, columns: int, scheme: Scheme) -> KernelFunction:
    """ids (rows,), weight (vocabulary, columns) -> out (rows, columns)."""
    with kernel(f"embed_{scheme.bits}_{rows}x{columns}_of_{vocabulary}") as k:
        ids = k.buffer("ids", (rows,), "int32")
        weight = weights.declare(k, scheme, vocabulary, columns)
        out = k.buffer("out", (rows, columns), "float32", write=True)
        units = ceil_div(weight.vectors, weight.unit)
        (block, row), (thread,) = k.launch(
            (ceil_div(units, THREADS), rows), (THREADS,), rows_axis=1
        )
        unit = block * THREADS + thread
        with when(unit < units):
            token = let(maximum(minimum(ids[row], vocabulary - 1), 0))
            values = weight.unit_of(unit, token)
            for index in range(weight.quads):
                quad = values.quad(index)
                width = weight.quads * 4
                for j in range(4):
                    column = unit * width + index * 4 + j
                    if columns % width:
                        with when(column < columns):
                            store(out, lane(quad, j), row, column)
                    else:
                        store(out, lane(quad, j), row, column)
    return finished(k)
