"""Reductions over a workgroup, through workgroup memory and, where there are any, subgroups.

WGSL says neither how large a subgroup is (4 to 128) nor which invocations it is made of. So each
one's own count and ranks are found by subgroup operations, and nothing else is taken for granted:
the results are right however a workgroup falls into subgroups.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt

from tvm import tirx

from compiler.kernels.dsl import (
    LOWEST,
    Expr,
    f32,
    i32,
    let,
    loop,
    maximum,
    minimum,
    select,
    store,
)
from compiler.kernels.gpu.dsl import Builder, together

Operation = Callable[[Expr, Expr], Expr]

# What subgroups call an operation, and the value that changes no result.
_BUILTINS: dict[tuple[Operation, str], tuple[str, Expr]] = {
    (operator.add, "float32"): ("subgroupAdd", f32(0)),
    (maximum, "float32"): ("subgroupMax", f32(LOWEST)),
    (minimum, "int32"): ("subgroupMin", i32(2**31 - 1)),
}


def combine(
    k: Builder,
    thread: Expr,
    value: Expr,
    threads: int,
    operation: Operation,
    dtype: str = "float32",
) -> Expr:
    """`value` of all invocations of a one-dimensional workgroup, combined; all get the result.

    Without subgroups in two rounds of sqrt(threads) reads each: two barriers where a tree needs one
    per level. `threads` is a square.
    """
    if k.language.subgroups:
        return subgroup(k).combine(thread, [value], operation, dtype)[0]
    side = isqrt(threads)
    if side * side != threads:
        raise AssertionError(f"a workgroup of {threads} is not a square")
    first, second = k.shared(threads, dtype), k.shared(threads, dtype)
    store(first, value, thread)
    store(second, fold(first, (thread % side) * side, side, operation), thread)
    return let(fold(second, 0, side, operation))


@dataclass(frozen=True)
class Subgroup:
    """The invocation's subgroup, and its place in it."""

    k: Builder
    size: Expr  # of its invocations that there are, an i32
    rank: Expr  # of the invocation among them
    steps: Expr  # rounds in which a subgroup reads one value of each invocation of the workgroup

    def combine(
        self, thread: Expr, values: Sequence[Expr], operation: Operation, dtype: str
    ) -> list[Expr]:
        """Each of `values` of all invocations, combined, with one barrier for all of them.

        The first invocation of each subgroup leaves what its subgroup has in its own place in
        workgroup memory, the others something neutral. Then each subgroup reads it all.
        """
        builtin, neutral = _BUILTINS[operation, dtype]
        threads = self.k.threads
        partials = self.k.shared(len(values) * threads, dtype)
        kept = self.k.local(len(values), dtype)
        for index, value in enumerate(values):
            store(kept, together(dtype, builtin, value), index)
            mine = select(self.rank == 0, kept[index], neutral)
            store(partials, mine, index * threads + thread)
        for index in range(len(values)):
            store(kept, neutral, index)
        with loop(self.steps) as step:
            place = step * self.size + self.rank
            for index in range(len(values)):
                store(kept, operation(kept[index], partials[index * threads + place]), index)
        for index in range(len(values)):
            store(kept, together(dtype, builtin, kept[index]), index)
        return [kept[index] for index in range(len(values))]


def prepare(k: Builder) -> None:
    """To be called in a kernel that reduces, once it is launched, before any branch or loop."""
    if not k.language.subgroups:
        return
    size, rank, steps = (k.local(1, "int32") for _ in range(3))
    store(size, together("int32", "subgroupAdd", i32(1)), 0)
    store(rank, together("int32", "subgroupExclusiveAdd", i32(1)), 0)
    store(steps, tirx.truncdiv(i32(k.threads - 1) - rank[0], size[0]) + 1, 0)
    k.prepared = Subgroup(k, size[0], rank[0], steps[0])


def subgroup(k: Builder) -> Subgroup:
    """What `prepare` found."""
    if not isinstance(k.prepared, Subgroup):
        raise AssertionError(f"{k.name} reduces without having called `prepare`")
    return k.prepared


def fold(memory: Expr, start: Expr, count: int, operation: Operation) -> Expr:
    """`count` values of workgroup memory from `start` on, combined by one invocation."""
    total = memory[start]
    for index in range(1, count):
        total = operation(total, memory[start + index])
    return total
