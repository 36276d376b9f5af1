"""Kernels small enough to know by heart."""

from __future__ import annotations

from functools import cache

from compiler.kernels.cpu import dsl as cpu
from compiler.kernels.dsl import KernelFunction, f32, loop, store
from compiler.kernels.gpu.dsl import finished, kernel, lane


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


@cache
def cpu_double(count: int = 64) -> KernelFunction:
    """out = x + x, on a CPU; an item is a value."""
    with cpu.kernel("double") as k:
        x = k.buffer("x", (count,), "float32")
        out = k.buffer("out", (count,), "float32", write=True)
        with k.call(), k.items(count) as item:
            store(out, x[item] + x[item], item)
    return cpu.finished(k)


@cache
def cpu_through_workspace(count: int, *more: int) -> KernelFunction:
    """out = x + i summed over i, through a workspace of `count` f32s and others of `more`."""
    with cpu.kernel("through_workspace") as k:
        x = k.buffer("x", (8,), "float32")
        out = k.buffer("out", (8,), "float32", write=True)
        with k.call():
            spaces = [k.workspace((size,)) for size in (count, *more)]
            with k.items(8) as item:
                store(out, f32(0), item)
                for space in spaces:
                    with loop(int(space.shape[0])) as i:
                        store(space, x[item] + i.astype("float32"), i)
                for space in spaces:
                    with loop(int(space.shape[0])) as i:
                        store(out, out[item] + space[i], item)
    return cpu.finished(k)


@cache
def cpu_product() -> KernelFunction:
    """out = out + a b, four lanes at a time."""
    with cpu.kernel("product") as k:
        a, b = (k.buffer(name, (64,), "float32") for name in "ab")
        out = k.buffer("out", (64,), "float32", write=True)
        with k.call(), k.items(16) as item:
            quads = [cpu.load(buffer, item * 4) for buffer in (a, b, out)]
            cpu.store4(out, cpu.fma(*quads), item * 4)
    return cpu.finished(k)


def kernel_with(name: str, arguments: tuple[str, ...]) -> KernelFunction:
    """A stand-in where only names matter."""
    return KernelFunction(name, double().function, (1, 1, 1), arguments, arguments[-1:])
