"""Kernels of a plan as the files a browser fetches, and the table that refers to them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from compiler.bundle.schema import Kernel
from compiler.kernels.dsl import KernelFunction
from compiler.lower.wasm import compile_module
from compiler.lower.wgsl import compile_kernels


@dataclass(frozen=True)
class KernelFiles:
    """One table and, for each variant that shares it, the file it refers to."""

    kernels: list[Kernel]
    arguments: list[tuple[str, ...]]  # names of each kernel's bindings, in their order
    index: Mapping[KernelFunction, int]
    files: Mapping[str, bytes]  # by variant


def wgsl_files(functions: Sequence[KernelFunction], variant: str) -> KernelFiles:
    """WGSL text of all kernels, one after the other."""
    functions = sorted(functions, key=_kind)
    named = unique_names(functions)
    shaders = compile_kernels(named)
    kernels, text = [], bytearray()
    for function in named:
        shader = shaders[function.name]
        code = shader.text.encode()
        kernels.append(
            Kernel(
                name=function.name,
                entry=shader.entry,
                offset=len(text),
                bytes=len(code),
                workgroup=list(shader.workgroup),
                workgroup_bytes=shader.workgroup_bytes,
                access=[_access(write) for write in shader.writable],
            )
        )
        text += code
    arguments = [shaders[function.name].arguments for function in named]
    return KernelFiles(kernels, arguments, _numbered(functions), {variant: bytes(text)})


def wasm_files(
    functions: Sequence[KernelFunction], variants: Mapping[str, Sequence[str]]
) -> KernelFiles:
    """One module for each variant, from its WebAssembly features."""
    named = unique_names(functions)
    modules = {name: compile_module(named, features) for name, features in variants.items()}
    kernels = [
        Kernel(
            name=function.name,
            entry=function.name,
            offset=0,
            bytes=0,
            workgroup=[1, 1, 1],
            workgroup_bytes=max(each.workspace[function.name] for each in modules.values()),
            access=[_access(name in function.writes) for name in function.arguments],
        )
        for function in named
    ]
    arguments = [function.arguments for function in named]
    files = {name: module.code for name, module in modules.items()}
    return KernelFiles(kernels, arguments, _numbered(functions), files)


def unique_names(functions: Sequence[KernelFunction]) -> list[KernelFunction]:
    """The same kernels; those that share a name (they differ in settings) get a number."""
    seen: dict[str, int] = {}
    named = []
    for function in functions:
        count = seen[function.name] = seen.get(function.name, 0) + 1
        name = function.name if count == 1 else f"{function.name}_v{count}"
        plain, relaxed = (
            one and one.with_attr("global_symbol", name)
            for one in (function.function, function.relaxed)
        )
        named.append(replace(function, name=name, function=plain, relaxed=relaxed))
    return named


def _kind(function: KernelFunction) -> str:
    """Its name without sizes: gzip sees what kernels share where they are neighbours."""
    return re.sub(r"\d", "", function.name)


def _numbered(functions: Sequence[KernelFunction]) -> dict[KernelFunction, int]:
    return {function: index for index, function in enumerate(functions)}


def _access(write: bool) -> Literal["read", "read_write"]:
    return "read_write" if write else "read"
