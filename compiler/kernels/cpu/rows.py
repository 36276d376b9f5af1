"""Walking the values of a row, four at a time."""

from __future__ import annotations

from collections.abc import Callable

from compiler.kernels.cpu.dsl import LANES, Builder, lane_sum, load, splat
from compiler.kernels.dsl import Expr, f32, let, loop


def each(columns: int, four: Callable[[Expr], None], one: Callable[[Expr], None]) -> None:
    """Runs `four(i)` for every whole quad, which begins at value i, and `one(i)` for the rest."""
    with loop(columns // LANES) as quad:
        four(quad * LANES)
    for rest in range(columns // LANES * LANES, columns):
        one(rest)


def total(
    k: Builder, columns: int, four: Callable[[Expr], Expr], one: Callable[[Expr], Expr]
) -> Expr:
    """The sum of `four(i)` over whole quads and `one(i)` over the rest, a scalar."""
    quads, rest = k.register(splat(0.0)), k.register(f32(0), "float32")
    each(columns, lambda i: quads.add(four(i)), lambda i: rest.add(one(i)))
    return let(lane_sum(quads.value) + rest.value)


def sum_of(k: Builder, buffer: Expr, columns: int, *index: Expr) -> Expr:
    """The sum of a row."""
    return total(k, columns, lambda i: load(buffer, *index, i), lambda i: buffer[(*index, i)])
