"""Kernels as WebAssembly modules. tests/kernels runs them; here is what the modules look like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tvm import tirx

from compiler.bundle.schema import WASM_RESERVED
from compiler.errors import UnsupportedModelError
from compiler.kernels.cpu import dsl as cpu
from compiler.kernels.dsl import Expr, KernelFunction, store
from compiler.lower import wasm
from compiler.lower.wasm import compile_module
from tests.unit.lower.kernels import cpu_double, cpu_product, cpu_through_workspace
from tests.unit.lower.wasm_binary import WasmBinary

PLAIN = ["simd128"]
RELAXED = ["simd128", "relaxed-simd"]
THREADS = ["simd128", "threads"]
PAGE = 1 << 16

# Opcodes, with the prefix of SIMD instructions and their number in LEB128.
F32X4_MUL = b"\xfd\xe6\x01"
F32X4_RELAXED_MADD = b"\xfd\x85\x02"


def module(*kernels: KernelFunction, features: list[str] = PLAIN) -> WasmBinary:
    return WasmBinary(compile_module(kernels, features).code)


def test_exports_are_the_kernels_and_what_a_thread_sets() -> None:
    exports = module(cpu_double(), cpu_product()).exports
    assert exports == {
        "double": "function",
        "product": "function",
        "set_workspace": "function",
        "__stack_pointer": "global",
    }


@pytest.mark.parametrize("features", [PLAIN, THREADS])
def test_memory_is_all_that_is_imported(features: list[str]) -> None:
    """No runtime: what TVM's code calls is linked in, workspaces and powers included."""
    kernel = elementwise("power", lambda x: tirx.pow(tirx.erf(x), tirx.round(tirx.exp(x))))
    imports = module(cpu_through_workspace(300), kernel, features=features).imports
    assert imports.keys() == {"env.memory"}


def test_memory_without_threads_may_grow_as_it_likes() -> None:
    memory = module(cpu_double()).imports["env.memory"]
    assert (memory.maximum, memory.shared) == (None, False)


def test_memory_with_threads_is_shared() -> None:
    memory = module(cpu_double(), features=THREADS).imports["env.memory"]
    assert (memory.maximum, memory.shared) == (65535, True)


@pytest.mark.parametrize("features", [PLAIN, THREADS])
def test_a_modules_own_data_fits_what_is_reserved(features: list[str]) -> None:
    made = module(cpu_double(), cpu_through_workspace(300), features=features)
    assert made.imports["env.memory"].minimum * PAGE <= WASM_RESERVED


def test_relaxed_simd_multiplies_and_adds_at_once() -> None:
    plain, relaxed = (module(cpu_product(), features=f).code for f in (PLAIN, RELAXED))
    assert F32X4_MUL in plain
    assert F32X4_RELAXED_MADD not in plain
    assert F32X4_RELAXED_MADD in relaxed
    assert F32X4_MUL not in relaxed


def test_relaxed_simd_has_the_function_made_for_it() -> None:
    function = cpu_through_workspace(300).function.with_attr("global_symbol", "product")
    kernel = replace(cpu_product(), relaxed=function)
    plain, relaxed = (compile_module([kernel], features) for features in (PLAIN, RELAXED))
    assert plain.workspace == {kernel.name: 0}
    assert relaxed.workspace == {kernel.name: 1200}


@pytest.mark.parametrize(
    ("sizes", "bytes_"),
    [
        ((1,), 0),
        ((255,), 0),  # 1020 bytes, on the stack
        ((256,), 1024),
        ((257,), 1040),  # multiples of 16
        ((300, 255, 257), 1200 + 1040),  # all of them alive at once
    ],
)
def test_workspace(sizes: tuple[int, ...], bytes_: int) -> None:
    kernel = cpu_through_workspace(*sizes)
    assert compile_module([kernel], PLAIN).workspace == {kernel.name: bytes_}


def test_every_kernel_has_a_workspace_of_its_own() -> None:
    sizes = compile_module([cpu_double(), cpu_through_workspace(300)], PLAIN).workspace
    assert sizes == {"double": 0, "through_workspace": 1200}


def test_the_same_kernels_give_the_same_module() -> None:
    first, second = (compile_module([cpu_product()], RELAXED).code for _ in range(2))
    assert first == second


def test_a_function_the_runtime_lacks_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match=r"linker failed: .*undefined symbol: atanf"):
        compile_module([elementwise("arc", tirx.atan)], PLAIN)


def test_what_tvm_has_no_code_for_is_refused() -> None:
    def unknown(x: Expr) -> Expr:
        return tirx.call_intrin("float32", "tirx.fmod", x, x)

    with pytest.raises(UnsupportedModelError, match=r"TVM cannot generate WebAssembly: .*fmod"):
        compile_module([elementwise("rest", unknown)], PLAIN)


def test_a_linker_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wasm, "RUNTIME", tmp_path / "missing.c")
    with pytest.raises(UnsupportedModelError, match=r"linker failed: .*missing\.c"):
        compile_module([cpu_double()], PLAIN)


def elementwise(name: str, function: Callable[[Expr], Expr]) -> KernelFunction:
    with cpu.kernel(name) as k:
        x = k.buffer("x", (16,), "float32")
        out = k.buffer("out", (16,), "float32", write=True)
        with k.call(), k.items(16) as item:
            store(out, function(x[item]), item)
    return cpu.finished(k)
