"""What the first kernel of a run does for each row, on every target: which token, and where.

Each function declares a kernel's buffers and returns the statements of one row.
"""

from __future__ import annotations

from collections.abc import Callable

from compiler.bundle.schema import CONTROL_SLOTS, Control
from compiler.kernels.dsl import Expr, KernelBuilder, let, minimum, select, store

Statements = Callable[[Expr], None]


def inputs(k: KernelBuilder, rows: int, context: int, whole: bool) -> Statements:
    """control, tokens -> ids (rows,), positions (rows,): tokens[POSITION + i] and POSITION + i;
    tokens[i] and i if `whole`.

    Padding rows repeat the last position of the context, so that no table is read outside.
    """
    control, tokens, ids, positions = _buffers(k, rows, context, "positions")

    def read(row: Expr) -> None:
        first = 0 if whole else control[Control.POSITION]
        position = let(minimum(first + row, control[Control.CONTEXT] - 1))
        store(ids, tokens[position], row)
        store(positions, position, row)

    return read


def text(k: KernelBuilder, rows: int, context: int) -> Statements:
    """control, tokens -> ids (rows,), real (rows,): tokens[i], and whether i is below TEXT.

    Padding rows have what an earlier text left, or zeros: ids all the same.
    """
    control, tokens, ids, real = _buffers(k, rows, context, "real")

    def read(row: Expr) -> None:
        store(ids, tokens[minimum(row, control[Control.CONTEXT] - 1)], row)
        store(real, select(row < control[Control.TEXT], 1, 0), row)

    return read


def _buffers(k: KernelBuilder, rows: int, context: int, second: str) -> list[Expr]:
    """control, tokens, ids, and the `second` output."""
    return [
        k.buffer("control", (CONTROL_SLOTS,), "int32"),
        k.buffer("tokens", (context + 1,), "int32"),
        k.buffer("ids", (rows,), "int32", write=True),
        k.buffer(second, (rows,), "int32", write=True),
    ]
