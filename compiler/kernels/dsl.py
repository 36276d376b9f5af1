"""What kernels of every target are written with: a thin layer over TVM's TIR builder.

A kernel is a Python function that builds statements; `gpu/dsl.py` and `cpu/dsl.py` add what one
target alone has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from tvm import tirx
from tvm.tirx.script.builder import ir as T

Expr: TypeAlias = Any  # a TIR expression; TVM's builder overloads operators without types
LOWEST = -3.0e38  # stands for minus infinity, which WGSL cannot spell


@dataclass(frozen=True, eq=False)  # one object per kernel: the factories are cached
class KernelFunction:
    """A kernel and how to launch it."""

    name: str
    function: tirx.PrimFunc
    grid: tuple[int, int, int]  # workgroups; on CPUs (items, 1, 1)
    arguments: tuple[str, ...]  # buffer names, in the order the plan passes buffers
    writes: tuple[str, ...]  # those of them that are written
    relaxed: tirx.PrimFunc | None = None  # the function for relaxed SIMD, where it is another
    rows_axis: int | None = None  # of the grid, along which tokens go: fewer of them need less

    def for_features(self, features: Sequence[str]) -> tirx.PrimFunc:
        """The function to compile for a WebAssembly variant."""
        return self.relaxed if self.relaxed and "relaxed-simd" in features else self.function


class KernelBuilder:
    """The part of a kernel under construction that every target has."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arguments: list[str] = []
        self.writes: list[str] = []
        self.result: KernelFunction | None = None

    def buffer(self, name: str, shape: Sequence[int], dtype: str, *, write: bool = False) -> Expr:
        """The next argument. A GPU's `dtype` may be a vector such as "float32x4"; on a CPU, `load`
        and `store4` move four scalars at a time."""
        self.arguments.append(name)
        if write:
            self.writes.append(name)
        return T.arg(name, T.buffer(tuple(shape), dtype))


def finished(builder: KernelBuilder) -> KernelFunction:
    """The kernel of a builder whose `with` block has ended."""
    if builder.result is None:
        raise AssertionError(f"kernel {builder.name} is still being built")
    return builder.result


def store(buffer: Expr, value: Expr, *indices: Expr) -> None:
    T.buffer_store(buffer, value, list(indices))


def let(value: Expr) -> Expr:
    """Computes `value` once."""
    return T.Bind(value)


@contextmanager
def when(condition: Expr) -> Iterator[None]:
    with T.If(condition), T.Then():
        yield


def loop(extent: Expr) -> Any:
    """`with loop(n) as i`: a run-time loop. Use Python's `for` to unroll."""
    return T.serial(extent)


def f32(value: float) -> Expr:
    return tirx.const(value, "float32")


def i32(value: int) -> Expr:
    return tirx.const(value, "int32")


def u32(value: int) -> Expr:
    return tirx.const(value, "uint32")


def select(condition: Expr, yes: Expr, no: Expr) -> Expr:
    return tirx.Select(condition, yes, no)


def minimum(a: Expr, b: Expr) -> Expr:
    return tirx.min(a, b)


def maximum(a: Expr, b: Expr) -> Expr:
    return tirx.max(a, b)


def both(*conditions: Expr) -> Expr:
    return tirx.all(*conditions)


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)
