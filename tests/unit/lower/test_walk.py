"""Visiting the statements of TIR functions."""

from __future__ import annotations

from tvm import s_tir, tirx

from compiler.kernels.cpu import dsl as cpu
from compiler.kernels.dsl import loop, store, when
from compiler.lower.walk import statements
from tests.unit.lower.kernels import cpu_double, double


def kinds(function: tirx.PrimFunc) -> list[type]:
    return [type(statement) for statement in statements(function.body)]


def test_every_statement_in_order() -> None:
    with cpu.kernel("nested") as k:
        out = k.buffer("out", (8,), "int32", write=True)
        with k.call(), k.items(8) as item:
            with when(item < 4), loop(2) as i:
                store(out, i, item)
            store(out, 7, item)
    found = kinds(cpu.finished(k).function)
    wanted = [tirx.For, tirx.IfThenElse, tirx.For, tirx.BufferStore, tirx.BufferStore]
    assert [kind for kind in found if kind in wanted] == wanted


def test_both_branches() -> None:
    nothing = tirx.Evaluate(0)
    branches = tirx.IfThenElse(tirx.Var("x", "int32") < 1, nothing, tirx.Evaluate(1))
    assert [type(one) for one in statements(branches)] == [
        tirx.IfThenElse,
        tirx.Evaluate,
        tirx.Evaluate,
    ]


def test_blocks_their_bodies_and_how_sums_begin() -> None:
    a = tirx.decl_buffer((4,), "float32", "a")
    begin, add = (tirx.BufferStore(a, tirx.const(value, "float32"), [0]) for value in (0.0, 1.0))
    block = s_tir.SBlock([], [], [], "sum", add, begin)
    found = list(statements(s_tir.SBlockRealize([], True, block)))
    assert found[1].same_as(block)
    assert {found[2], found[3]} == {begin, add}


def test_kernels_of_both_targets() -> None:
    assert kinds(cpu_double().function).count(tirx.BufferStore) == 1
    assert kinds(double().function).count(tirx.BufferStore) == 1
