"""The first steps of a run on a CPU: which tokens at which positions, and their embeddings."""

from __future__ import annotations

from functools import cache

from compiler.bundle.schema import Scheme
from compiler.kernels import tokens
from compiler.kernels.cpu import weights
from compiler.kernels.cpu.dsl import LANES, finished, kernel, lane, store4
from compiler.kernels.dsl import Expr, KernelFunction, let, loop, maximum, minimum, store


@cache
def inputs(rows: int, context: int, whole: bool = False) -> KernelFunction:
    """control, tokens -> ids, positions (rows,), as `tokens.inputs` says."""
    with kernel(f"{'whole' if whole else 'inputs'}_{rows}") as k:
        read = tokens.inputs(k, rows, context, whole)
        with k.call(), k.items(1), loop(rows) as row:
            read(row)
    return finished(k)


@cache
def text(rows: int, context: int) -> KernelFunction:
    """control, tokens -> ids, real (rows,), as `tokens.text` says."""
    with kernel(f"text_{rows}") as k:
        read = tokens.text(k, rows, context)
        with k.call(), k.items(1), loop(rows) as row:
            read(row)
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
