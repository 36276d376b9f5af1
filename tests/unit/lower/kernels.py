"""Kernels small enough to know by heart."""

from __future__ import annotations

from functools import cache

from compiler.kernels.dsl import KernelFunction, finished, kernel, lane, store


@cache
def double(count: int = 64, grid: int = 1) -> KernelFunction:
    """out = x + x"""
    with kernel("double") as k:
        x = k.buffer("x", (count,), "float32")
        out = k.buffer("out", (count,), "float32", write=True)
        (block,), (thread,) = k.launch((grid,), (count // grid,))
        index = block * (count // grid) + thread
        store(out, x[index] + x[index], index)
    return finished(k)


@cache
def through_shared(name: str = "reverse") -> KernelFunction:
    """out = x reversed within 32 values, through 32 f32s and 8 vec4s of workgroup memory."""
    with kernel(name) as k:
        x = k.buffer("x", (32,), "float32")
        quads = k.buffer("a_quads", (8,), "float32x4")
        out = k.buffer("out", (32,), "float32", write=True)
        _, (thread,) = k.launch((1,), (32,))
        shared = k.shared(32)
        wide = k.shared(8, "float32x4")
        store(shared, x[thread], thread)
        store(wide, quads[thread >> 2], thread >> 2)
        store(out, shared[31 - thread] + lane(wide[7 - (thread >> 2)], 0), thread)
    return finished(k)


def kernel_with(name: str, arguments: tuple[str, ...]) -> KernelFunction:
    """A stand-in where only names matter."""
    return KernelFunction(name, double().function, (1, 1, 1), arguments, arguments[-1:])
