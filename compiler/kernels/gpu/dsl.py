"""WebGPU kernels: a grid of workgroups, workgroup memory, WGSL's built-in functions.

A kernel is built inside `with kernel(name) as k`: declare buffers with `k.buffer`, launch the grid
with `k.launch`, and write statements. WGSL built-ins are reached through `extern`. Bindings are
matched by buffer name, because TVM's WGSL generator sorts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.tirx.script.builder import ir as T

from compiler.kernels.dsl import Expr, KernelBuilder, KernelFunction
from compiler.kernels.dsl import finished as finished  # kernels import it from here
from compiler.kernels.gpu.language import BASE, Half, Language


class Builder(KernelBuilder):
    """What a kernel under construction knows about itself."""

    def __init__(self, name: str, language: Language) -> None:
        super().__init__(name)
        self.language = language
        self.grid = (1, 1, 1)
        self.rows_axis: int | None = None
        self.threads = 0  # invocations in a workgroup
        self.prepared: object = None  # what `reduce.prepare` keeps here
        self._stack = ExitStack()

    def launch(
        self, grid: Sequence[int], workgroup: Sequence[int], rows_axis: int | None = None
    ) -> tuple[list[Expr], list[Expr]]:
        """Opens the grid, with tokens in order along `rows_axis`; returns the workgroup's and the
        invocation's indices."""
        self.rows_axis = rows_axis
        self.grid = (*grid, *([1] * (3 - len(grid))))[:3]  # type: ignore[assignment]
        self.threads = prod(workgroup)
        blocks = [self._thread("blockIdx", axis, n) for axis, n in zip("xy", grid, strict=False)]
        threads = [
            self._thread("threadIdx", axis, n) for axis, n in zip("xyz", workgroup, strict=False)
        ]
        return blocks, threads

    def _thread(self, kind: str, axis: str, extent: int) -> Expr:
        return self._stack.enter_context(T.launch_thread(f"{kind}.{axis}", extent))

    def cache(self, shape: Sequence[int], *, quads: bool, write: bool = False) -> Cache:
        """The buffer `kv` of a KV cache, in f16 if the language has it."""
        half = self.language.half
        scalar = "float32" if half is None else half.scalar
        dtype = f"{scalar}x4" if quads else scalar
        return Cache(self.buffer("kv", shape, dtype, write=write), half)

    def local(self, count: int, dtype: str = "float32") -> Expr:
        """Registers of one invocation; index with constants wherever possible."""
        return T.alloc_buffer((count,), dtype, scope="local")

    def shared(self, count: int, dtype: str = "float32") -> Expr:
        """Workgroup memory. Barriers are inserted by TVM between writes and reads."""
        return T.alloc_buffer((count,), dtype, scope="shared")


@dataclass(frozen=True)
class Cache:
    """A KV cache, read and written as f32."""

    buffer: Expr
    half: Half | None

    def read4(self, *indices: Expr) -> Expr:
        """A quad."""
        quad = self.buffer[indices]
        return quad if self.half is None else self.half.wide4(quad)

    def write(self, value: Expr, *indices: Expr) -> None:
        """A scalar."""
        stored = value if self.half is None else self.half.narrow(value)
        T.buffer_store(self.buffer, stored, list(indices))


@contextmanager
def kernel(name: str, language: Language = BASE) -> Iterator[Builder]:
    """Builds a kernel; afterwards `result` of the yielded builder holds it."""
    builder = Builder(name, language)
    with IRBuilder() as ir, T.prim_func(s_tir=True):
        T.func_name(name)
        T.func_attr({"global_symbol": name, "tirx.noalias": True})
        with builder._stack:
            yield builder
    builder.result = KernelFunction(
        name,
        ir.get(),
        builder.grid,
        tuple(builder.arguments),
        tuple(builder.writes),
        rows_axis=builder.rows_axis,
    )


def extern(dtype: str, name: str, *args: Expr) -> Expr:
    """A WGSL built-in function."""
    return tirx.call_pure_extern(dtype, name, *args)


def together(dtype: str, name: str, *args: Expr) -> Expr:
    """A WGSL built-in function that invocations compute together. Store the result at once: as it
    is not pure, TVM then leaves the call where it stands, outside of branches."""
    return tirx.call_extern(dtype, name, *args)


def lane(vector: Expr, index: int) -> Expr:
    """One component of a vector."""
    return tirx.Shuffle([vector], [index])


def vec4(*values: Expr) -> Expr:
    """vec4<f32> of one, two or four arguments, as WGSL's constructor takes them."""
    return extern("float32x4", "vec4<f32>", *values)


def dot(a: Expr, b: Expr) -> Expr:
    return extern("float32", "dot", a, b)


def fma4(a: Expr, b: Expr, c: Expr) -> Expr:
    return extern("float32x4", "fma", a, b, c)


def bits(value: Expr, dtype: str) -> Expr:
    """The same 32 bits as another scalar type."""
    names = {"float32": "f32", "uint32": "u32", "int32": "i32"}
    return extern(dtype, f"bitcast<{names[dtype]}>", value)


def exp(value: Expr) -> Expr:
    return tirx.exp(value)
