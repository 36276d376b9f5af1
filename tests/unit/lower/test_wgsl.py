"""What is read off TVM's WGSL."""

from __future__ import annotations

import pytest

from compiler.errors import UnsupportedModelError
from compiler.kernels.dsl import store
from compiler.kernels.gpu.dsl import finished, kernel
from compiler.lower.wgsl import _read, compile_kernels
from tests.unit.lower.kernels import double, through_shared


def test_reads_bindings_by_name() -> None:
    shader = compile_kernels([double()])["double"]
    # TVM sorts bindings by name: "out" comes before "x".
    assert shader.arguments == ("out", "x")
    assert shader.writable == (True, False)
    assert shader.workgroup == (64, 1, 1)
    assert shader.workgroup_bytes == 0
    assert f"fn {shader.entry}(" in shader.text


def test_uniform_and_its_guard_are_gone() -> None:
    text = compile_kernels([double(grid=4)])["double"].text
    assert "PODArgs" not in text
    assert "podArgs" not in text
    assert "uniform" not in text
    assert "packGridDimX" not in text


def test_text_has_no_comments_or_blank_lines() -> None:
    lines = compile_kernels([double()])["double"].text.splitlines()
    assert all(line and line == line.strip() and not line.startswith("//") for line in lines)


def test_workgroup_memory_is_summed_over_types() -> None:
    shader = compile_kernels([through_shared()])["reverse"]
    assert shader.workgroup_bytes == 32 * 4 + 8 * 16
    assert shader.arguments == ("a_quads", "out", "x")


def test_several_kernels_by_name() -> None:
    shaders = compile_kernels([double(), through_shared()])
    assert shaders.keys() == {"double", "reverse"}
    assert shaders["double"].text != shaders["reverse"].text


def test_what_wgsl_cannot_express_is_refused() -> None:
    with kernel("wide") as k:
        out = k.buffer("out", (4,), "int64", write=True)
        _, (thread,) = k.launch((1,), (4,))
        store(out, thread.astype("int64"), thread)
    with pytest.raises(UnsupportedModelError, match=r"TVM cannot generate WebGPU code.*i64"):
        compile_kernels([finished(k)])


def test_unknown_form_of_wgsl_is_refused() -> None:
    text = "x\n@workgroup_size(1, 1, 1)\nfn main(\n{ podArgs.other }\n"
    with pytest.raises(UnsupportedModelError, match="WGSL of an unknown form"):
        _read(text)
