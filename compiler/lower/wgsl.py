"""Kernels to WGSL text, through TVM's code generator."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import tvm
from tvm import ir, s_tir, tirx
from tvm.target import Target

from compiler.errors import UnsupportedModelError
from compiler.kernels.dsl import KernelFunction
from compiler.lower.generic import TARGETS
from compiler.lower.minify import minify
from compiler.lower.passes import FLATTEN, TIDY

# TVM adds a uniform with the grid's extent for launches of more than 65,535 workgroups in x, and a
# guard that reads it. Ours never launch that many, so both go, and no kernel needs a uniform.
_POD = re.compile(r"struct PODArgs \{\s*packGridDimX: u32\s*\}\s*@group\(0\)[^;]*podArgs[^;]*;")
_GUARD = re.compile(
    r"if \(blockIdx\.z \* gridDim\.x \+ blockIdx\.x > podArgs\.packGridDimX\)[^}]*\}"
)
_BINDING = re.compile(r"@binding\((\d+)\) var<storage, (read|read_write)> (\w+?)_ptr(_\d+)? :")
_WORKGROUP = re.compile(r"@workgroup_size\((\d+), (\d+), (\d+)\)")
_MEMORY = re.compile(r"var<workgroup> \w+ : array<([\w<>]+), (\d+)>;")
_SUBGROUPS = re.compile(r"\bsubgroup[A-Z]\w*\(")
ENTRY = "main"  # of every kernel
_ENTRY = re.compile(r"^fn (\w+)\(", re.MULTILINE)
_SIZES = {"f16": 2, "f32": 4, "i32": 4, "u32": 4, "vec2<f32>": 8, "vec2<u32>": 8} | {
    "vec4<f16>": 8,
    "vec4<f32>": 16,
    "vec4<u32>": 16,
}


@dataclass(frozen=True)
class Shader:
    """One kernel's module of WGSL and what it binds."""

    text: str
    entry: str
    arguments: tuple[str, ...]  # buffer names in @binding order
    writable: tuple[bool, ...]  # the same order
    workgroup: tuple[int, int, int]
    workgroup_bytes: int


def compile_kernels(kernels: Sequence[KernelFunction]) -> dict[str, Shader]:
    """The shader of every kernel, by kernel name. Names must be unique."""
    functions = {kernel.name: kernel.function for kernel in kernels}
    try:
        source = _source(tvm.IRModule(functions))
    except Exception as error:  # TVM raises its own kinds of RuntimeError
        raise UnsupportedModelError(f"TVM cannot generate WebGPU code: {error}") from error
    shaders = {}
    for part in source.split("// Function: ")[1:]:
        if "@compute" in part:
            entry = _ENTRY.search(part)
            shaders["" if entry is None else entry.group(1).removesuffix("_kernel")] = _read(part)
    if several := shaders.keys() - functions.keys():
        raise UnsupportedModelError(
            f"TVM made several kernels of one: {', '.join(sorted(several))} besides the first"
        )
    missing = functions.keys() - shaders.keys()
    if missing:
        raise UnsupportedModelError(f"TVM generated no code for {', '.join(sorted(missing))}")
    return shaders


def _source(kernels: tvm.IRModule) -> str:
    """WGSL of all kernels. The other half of what TVM makes, functions that launch them from a
    CPU, is dropped before it costs a compiler's time."""
    target = Target(TARGETS["webgpu"])
    both = _SCHEDULED_TO_LAUNCHES(tirx.transform.BindTarget(target.with_host("llvm"))(kernels))
    device = tirx.transform.Filter(lambda f: f.attrs["target"].kind.name == "webgpu")(both)
    return str(
        tvm.get_global_func("target.build.webgpu")(_TO_WGSL(device), target).inspect_source()
    )


# TVM's own pipeline for GPUs without what these kernels have no use for: asynchronous copies and
# software pipelines, 8-bit floats, and HoistIfThenElse, which takes a fifth of the time and changes
# nothing.
_SCHEDULED_TO_LAUNCHES = ir.transform.Sequential(
    [
        s_tir.transform.CanonicalizeLoop(),
        s_tir.transform.LowerCrossThreadReduction(),
        s_tir.transform.LowerInitBlock(),
        s_tir.transform.PlanAndUpdateBufferAllocationLocation(),
        s_tir.transform.ConvertBlocksToOpaque(),
        s_tir.transform.LiftThreadBinding(),
        s_tir.transform.CompactBufferAllocation(),
        s_tir.transform.UnifyThreadBinding(),
        *FLATTEN,
        s_tir.transform.InjectVirtualThread(),
        tirx.transform.StorageRewrite(),
        *TIDY,
        tirx.transform.VerifyMemory(),
        tirx.transform.AnnotateEntryFunc(),
        s_tir.transform.ThreadSync("shared"),
        s_tir.transform.LowerThreadAllreduce(),
        s_tir.transform.MergeSharedMemoryAllocations(),
        tirx.transform.SplitHostDevice(),
        tirx.transform.MakePackedAPI(),
    ]
)
_TO_WGSL = ir.transform.Sequential(
    [
        tirx.transform.LowerWarpMemory(),
        tirx.transform.StmtSimplify(),
        tirx.transform.LowerIntrin(),
    ]
)


def _read(text: str) -> Shader:
    text = _GUARD.sub("", _POD.sub("", text))
    lines = (line.strip() for line in text.splitlines()[1:])
    text = "\n".join(line for line in lines if line and not line.startswith("//")) + "\n"
    if _SUBGROUPS.search(text):  # TVM only enables what it knows
        text = "enable subgroups;\n" + text
    bound = _BINDING.findall(text)
    found = sorted((int(i), access, name + count) for i, access, name, count in bound)
    workgroup, entry = _WORKGROUP.search(text), _ENTRY.search(text)
    if workgroup is None or entry is None or "podArgs" in text:
        raise UnsupportedModelError(f"TVM generated WGSL of an unknown form:\n{text[:400]}")
    x, y, z = (int(extent) for extent in workgroup.groups())
    memory = sum(_SIZES[kind] * int(count) for kind, count in _MEMORY.findall(text))
    return Shader(
        minify(text.replace(f"fn {entry.group(1)}(", f"fn {ENTRY}(")),
        ENTRY,
        tuple(name for _, _, name in found),
        tuple(access == "read_write" for _, access, _ in found),
        (x, y, z),
        memory,
    )
