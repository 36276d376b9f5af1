"""Kernels to one WebAssembly module: TVM and LLVM make the object file, zig's LLD links it.

The module imports its memory and exports plain functions, one per kernel (see Kernel in
compiler/bundle/schema.py), `__stack_pointer` and `set_workspace`, which every thread calls with an
address of its own before it runs kernels. No Emscripten, no JavaScript beside it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

import tvm
from tvm import ir, s_tir, tirx
from tvm.target import Target

from compiler.bundle.schema import WASM_STACK
from compiler.errors import UnsupportedModelError
from compiler.kernels.dsl import KernelFunction
from compiler.lower.passes import FLATTEN, TIDY
from compiler.lower.walk import statements

RUNTIME = Path(__file__).with_name("runtime.c")
MAX_PAGES = 65535  # of 64 KiB: what a shared memory may grow to, less one that zig cannot count

# Names of WebAssembly features as browsers know them, to those of LLVM.
FEATURES = {
    "simd128": ("simd128", "bulk-memory", "mutable-globals", "nontrapping-fptoint"),
    "relaxed-simd": ("relaxed-simd",),
    "threads": ("atomics",),
}
STACK_BYTES = 1024  # TVM's kMaxStackAlloca: allocations from here on become workspaces


@dataclass(frozen=True)
class Module:
    """A linked module and what its kernels need besides their arguments."""

    code: bytes
    workspace: Mapping[str, int]  # kernel name to bytes of workspace in one call


def compile_module(kernels: Sequence[KernelFunction], features: Sequence[str]) -> Module:
    """One module of all `kernels`, whose names must be unique.

    Raises UnsupportedModelError when TVM has no code for one or the linker refuses.
    """
    target = _target(features)
    try:
        loops = _loops(tuple((k.name, k.for_features(features)) for k in kernels))
        library = tvm.get_global_func("target.build.llvm")(_plain_module(loops, target), target)
    except Exception as error:  # TVM raises its own kinds of RuntimeError
        raise UnsupportedModelError(f"TVM cannot generate WebAssembly: {error}") from error
    with tempfile.TemporaryDirectory() as folder:
        code = _link(library, [kernel.name for kernel in kernels], features, Path(folder))
    workspace = {str(g.name_hint): _workspace(f) for g, f in loops.functions.items()}
    return Module(code, workspace)


def _target(features: Sequence[str]) -> Target:
    return Target(
        {
            "kind": "llvm",
            "mtriple": "wasm32-unknown-unknown-wasm",
            "vector-width": 128,
            "mattr": [f"+{name}" for feature in features for name in FEATURES[feature]],
        }
    )


@lru_cache(maxsize=2)  # variants with and without threads have the same loops
def _loops(kernels: tuple[tuple[str, tirx.PrimFunc], ...]) -> tvm.IRModule:
    """Scheduled PrimFuncs as loops over flat buffers."""
    target = _target(["simd128"])
    functions = {name: function.with_attr("target", target) for name, function in kernels}
    with target:
        return _SCHEDULED_TO_LOOPS(tvm.IRModule(functions))


def _plain_module(module: tvm.IRModule, target: Target) -> tvm.IRModule:
    plain = {g.name_hint: _plain(f, target) for g, f in module.functions.items()}
    with target:
        return _TO_LLVM(tvm.IRModule(plain))


# TVM's own pipeline for host code, without what splits off device code and packs arguments.
_SCHEDULED_TO_LOOPS = ir.transform.Sequential(
    [
        s_tir.transform.CanonicalizeLoop(),
        s_tir.transform.LowerInitBlock(),
        s_tir.transform.PlanAndUpdateBufferAllocationLocation(),
        s_tir.transform.ConvertBlocksToOpaque(),
        s_tir.transform.CompactBufferAllocation(),
        *FLATTEN,
        s_tir.transform.HoistIfThenElse(),
        *TIDY,
    ]
)
_TO_LLVM = ir.transform.Sequential([tirx.transform.LowerTVMBuiltin(), tirx.transform.LowerIntrin()])


def _plain(function: tirx.PrimFunc, target: Target) -> tirx.PrimFunc:
    """`(pointers..., begin, end) -> 0` with buffers declared over the pointers."""
    params, declarations = [], []
    for param in function.params:
        kind = getattr(param.ty, "dtype", None)
        if isinstance(param.ty, ir.PrimType):
            params.append(param)
            continue
        pointer = tirx.Var(param.name, ir.PointerType(ir.PrimType(str(kind)), "global"))
        params.append(pointer)
        declarations.append(tirx.DeclBuffer(param, data=pointer))
    body = tirx.SeqStmt([*declarations, function.body])
    # Allocations ask which device they are on: type 1 is the CPU.
    body = tirx.AttrStmt("default", "device_id", 0, body)
    body = tirx.AttrStmt("default", "device_type", 1, body)
    body = tirx.SeqStmt([body, tirx.Return(tirx.const(0, "int32"))])
    plain = tirx.PrimFunc(params, body, ret_type=ir.PrimType("int32"), attrs=function.attrs)
    plain = plain.with_attr("target", target)
    return plain.with_attr("calling_conv", 1)  # C's, which LowerTVMBuiltin insists on


def _link(library: Any, exports: list[str], features: Sequence[str], folder: Path) -> bytes:
    kernels, module = folder / "kernels.o", folder / "kernels.wasm"
    library.write_to_file(str(kernels))
    cpu = "generic" + "".join(
        f"+{name.replace('-', '_')}" for feature in features for name in FEATURES[feature]
    )
    options = ["--no-entry", "--import-memory", "--gc-sections", "--strip-all"]
    options += [f"--export={name}" for name in ("__stack_pointer", "set_workspace", *exports)]
    if "threads" in features:
        options += ["--shared-memory", f"--max-memory={MAX_PAGES << 16}"]
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding"]
    command += [f"-mcpu={cpu}", "-O2", str(RUNTIME), str(kernels), "-o", str(module)]
    command += [f"-Wl,-z,stack-size={WASM_STACK}", *(f"-Wl,{option}" for option in options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UnsupportedModelError(f"the WebAssembly linker failed: {done.stderr.strip()}")
    return module.read_bytes()


def _workspace(function: tirx.PrimFunc) -> int:
    """Bytes of the allocations of a function in loops, all of them alive at once."""
    sizes = [
        prod(int(extent) for extent in statement.buffer.shape) * _bytes(statement.buffer.dtype)
        for statement in statements(function.body)
        if isinstance(statement, tirx.AllocBuffer)
    ]
    return sum(-(-size // 16) * 16 for size in sizes if size >= STACK_BYTES)


def _bytes(dtype: str) -> int:
    return int(tvm.DataType(str(dtype)).itemsize)
