"""Kernels as files, and the table that refers to them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compiler.kernels.dsl import KernelFunction
from compiler.lower.kernel_files import KernelFiles, unique_names, wasm_files, wgsl_files
from tests.unit.lower.kernels import (
    cpu_double,
    cpu_product,
    cpu_through_workspace,
    double,
    kernel_with,
    through_shared,
)
from tests.unit.lower.wasm_binary import WasmBinary

VARIANTS = {"wasm": ["simd128"], "wasm-relaxed": ["simd128", "relaxed-simd"]}


def test_kernels_of_one_name_are_numbered() -> None:
    kernels = [kernel_with(name, ("out", "x")) for name in ("a", "b", "a", "a")]
    named = unique_names(kernels)
    assert [kernel.name for kernel in named] == ["a", "b", "a_v2", "a_v3"]
    symbols = [str(kernel.function.attrs["global_symbol"]) for kernel in named]
    assert symbols == ["a", "b", "a_v2", "a_v3"]


def test_both_functions_of_a_kernel_get_its_name() -> None:
    kernel = replace(kernel_with("a", ("out", "x")), relaxed=double().function)
    for named in unique_names([kernel_with("a", ("out", "x")), kernel])[1:]:
        for function in (named.function, named.relaxed):
            assert str(function.attrs["global_symbol"]) == "a_v2"


def test_a_workspace_is_large_enough_for_every_variant() -> None:
    small, large = cpu_double(64), cpu_through_workspace(300)
    for function, relaxed in ((small, large), (large, small)):
        kernel = replace(function, relaxed=relaxed.function)
        assert wasm_files([kernel], VARIANTS).kernels[0].workgroup_bytes == 1200


@pytest.fixture(scope="module")
def wgsl() -> KernelFiles:
    return wgsl_files([double(), through_shared()], "f32")


def test_kernel_spans_cut_the_text(wgsl: KernelFiles) -> None:
    assert wgsl.files.keys() == {"f32"}
    end = 0
    for record in wgsl.kernels:
        assert record.offset == end
        text = wgsl.files["f32"][record.offset : record.offset + record.bytes].decode()
        assert f"fn {record.entry}(" in text
        assert text.count("@compute") == 1
        assert len(record.access) == text.count("@binding(")
        end += record.bytes
    assert end == len(wgsl.files["f32"])


def test_arguments_and_access_follow_the_shader(wgsl: KernelFiles) -> None:
    assert wgsl.arguments == [("out", "x"), ("a_quads", "out", "x")]
    assert [record.access for record in wgsl.kernels] == [
        ["read_write", "read"],
        ["read", "read_write", "read"],
    ]


KERNELS: list[KernelFunction] = [
    cpu_double(64),
    cpu_through_workspace(300),
    cpu_double(32),
    cpu_product(),
]


@pytest.fixture(scope="module")
def wasm() -> KernelFiles:
    return wasm_files(KERNELS, VARIANTS)


def test_kernels_are_found_by_object(wasm: KernelFiles) -> None:
    assert [wasm.index[kernel] for kernel in KERNELS] == [0, 1, 2, 3]
    names = [wasm.kernels[wasm.index[kernel]].name for kernel in KERNELS]
    assert names == ["double", "through_workspace", "double_v2", "product"]


def test_every_variant_has_a_module_with_every_entry(wasm: KernelFiles) -> None:
    assert wasm.files.keys() == VARIANTS.keys()
    for code in wasm.files.values():
        functions = {name for name, kind in WasmBinary(code).exports.items() if kind == "function"}
        assert functions == {"set_workspace", *(record.entry for record in wasm.kernels)}
    assert len(set(wasm.files.values())) == len(VARIANTS)


def test_arguments_and_access_follow_the_kernel(wasm: KernelFiles) -> None:
    assert wasm.arguments == [("x", "out"), ("x", "out"), ("x", "out"), ("a", "b", "out")]
    assert [record.access for record in wasm.kernels] == [
        *[["read", "read_write"]] * 3,
        ["read", "read", "read_write"],
    ]


def test_a_record_says_what_the_schema_says(wasm: KernelFiles) -> None:
    """The span is the whole file, the workgroup one item, its memory the workspace."""
    assert [record.workgroup_bytes for record in wasm.kernels] == [0, 1200, 0, 0]
    for record in wasm.kernels:
        assert (record.offset, record.bytes, record.workgroup) == (0, 0, [1, 1, 1])
