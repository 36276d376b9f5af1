"""The first steps of a run: which tokens at which positions, and their embeddings."""

from __future__ import annotations

from functools import cache

from compiler.bundle.schema import CONTROL_SLOTS, Control, Scheme
from compiler.kernels.dsl import (
    KernelFunction,
    ceil_div,
    let,
    maximum,
    minimum,
    select,
    store,
    when,
)
from compiler.kernels.gpu import weights
from compiler.kernels.gpu.dsl import finished, kernel, lane

THREADS = 64


@cache
def inputs(rows: int, context: int, whole: bool = False) -> KernelFunction:
    """control, tokens -> ids (rows,), positions (rows,): tokens[POSITION + i] and POSITION + i;
    tokens[i] and i if `whole`.

    Padding rows repeat the last position of the context, so that no table is read outside.
    """
    with kernel(f"{'whole' if whole else 'inputs'}_{rows}") as k:
        control = k.buffer("control", (CONTROL_SLOTS,), "int32")
        tokens = k.buffer("tokens", (context + 1,), "int32")
        ids = k.buffer("ids", (rows,), "int32", write=True)
        positions = k.buffer("positions", (rows,), "int32", write=True)
        (block,), (thread,) = k.launch((ceil_div(rows, THREADS),), (THREADS,))
        row = block * THREADS + thread
        with when(row < rows):
            first = 0 if whole else control[Control.POSITION]
            position = let(minimum(first + row, control[Control.CONTEXT] - 1))
            store(ids, tokens[position], row)
            store(positions, position, row)
    return finished(k)


@cache
def text(rows: int, context: int) -> KernelFunction:
    """control, tokens -> ids (rows,), real (rows,): tokens[i], and whether i is below TEXT.

    Padding rows have what an earlier text left, or zeros: ids all the same.
    """
    with kernel(f"text_{rows}") as k:
        control = k.buffer("control", (CONTROL_SLOTS,), "int32")
        tokens = k.buffer("tokens", (context + 1,), "int32")
        ids = k.buffer("ids", (rows,), "int32", write=True)
        real = k.buffer("real", (rows,), "int32", write=True)
        (block,), (thread,) = k.launch((ceil_div(rows, THREADS),), (THREADS,))
        row = block * THREADS + thread
        with when(row < rows):
            store(ids, tokens[minimum(row, control[Control.CONTEXT] - 1)], row)
            store(real, select(row < control[Control.TEXT], 1, 0), row)
    return finished(k)


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
