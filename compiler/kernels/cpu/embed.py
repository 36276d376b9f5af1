"""The first steps of a run on a CPU: which tokens at which positions, and their embeddings."""

from __future__ import annotations

from functools import cache

from compiler.bundle.schema import CONTROL_SLOTS, Control, Scheme
from compiler.kernels.cpu import weights
from compiler.kernels.cpu.dsl import LANES, finished, kernel, lane, store4
from compiler.kernels.dsl import Expr, KernelFunction, let, loop, maximum, minimum, select, store


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
        with k.call(), k.items(1), loop(rows) as row:
            last = control[Control.CONTEXT] - 1
            first = 0 if whole else control[Control.POSITION]
            position = let(minimum(first + row, last))
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
        with k.call(), k.items(1), loop(rows) as row:
            store(ids, tokens[minimum(row, control[Control.CONTEXT] - 1)], row)
            store(real, select(row < control[Control.TEXT], 1, 0), row)
    return finished(k)


@cache
def embed(rows: int, vocabulary: int, columns: int, scheme: Scheme) -> KernelFunction:
    """ids (rows,), codes, scales -> out (rows, columns). An item is a row."""
    with kernel(f"embed_{scheme.bits}_{rows}x{columns}_of_{vocabulary}") as k:
        ids = k.buffer("ids", (rows,), "int32")
        weight = weights.declare(k, scheme, vocabulary, columns)
        out = k.buffer("out", (rows, columns), "float32", write=True)
        whole = columns // weight.unit_width

        def values(unit: Expr, token: Expr) -> list[Expr]:
            scale, offset = weight.scales1(unit, token) if scheme.group else (None, None)
            return weight.values(unit, token, scale, offset)

        with k.call(), k.items(rows) as row:
            token = let(maximum(minimum(ids[row], vocabulary - 1), 0))
            with loop(whole) as unit:
                for index, quad in enumerate(values(unit, token)):
                    store4(out, quad, row, unit * weight.unit_width + index * LANES)
            if whole < weight.units:
                rest = range(columns - whole * weight.unit_width)
                quads = values(whole, token)
                for i in rest:
                    value = lane(quads[i // LANES], i % LANES)
                    store(out, value, row, whole * weight.unit_width + i)
    return finished(k)
