"""Reductions over a workgroup, through workgroup memory."""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt

from compiler.kernels.dsl import Expr, let, store
from compiler.kernels.gpu.dsl import Builder


def combine(
    k: Builder,
    thread: Expr,
    value: Expr,
    threads: int,
    operation: Callable[[Expr, Expr], Expr],
    dtype: str = "float32",
) -> Expr:
    """`value` of all invocations of a one-dimensional workgroup, combined; all get the result.

    Two rounds of sqrt(threads) reads each: two barriers where a tree needs one per level.
    `threads` is a square.
    """
    side = isqrt(threads)
    if side * side != threads:
        raise AssertionError(f"a workgroup of {threads} is not a square")
    first, second = k.shared(threads, dtype), k.shared(threads, dtype)
    store(first, value, thread)
    store(second, fold(first, (thread % side) * side, side, operation), thread)
    return let(fold(second, 0, side, operation))


def fold(memory: Expr, start: Expr, count: int, operation: Callable[[Expr, Expr], Expr]) -> Expr:
    """`count` values of workgroup memory from `start` on, combined by one invocation."""
    total = memory[start]
    for index in range(1, count):
        total = operation(total, memory[start + index])
    return total
