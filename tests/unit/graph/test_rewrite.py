"""The walk that applies a rule, and what a rule can ask of the program."""

from __future__ import annotations

from pathlib import Path

import pytest
from tvm import relax
from tvm.relax import op as R

from compiler.graph import ops
from compiler.graph.program import Program, Rows, Source
from compiler.graph.rewrite import View, dump, rewrite
from tests.unit.graph.programs import Graph, operators, program


def double_negation(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    if ops.name(value) != "relax.negative":
        return None
    inner = view.value(value.args[0])
    return inner.args[0] if ops.name(inner) == "relax.negative" else None


def keep(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
    return None


def chain(g: Graph) -> relax.Expr:
    return g(R.tanh(g(R.negative(g(R.negative(g.x))))))


def first_view(made: Program) -> tuple[View, list[relax.Var]]:
    view = View(made)
    return view, [binding.var for binding in view.bindings]


def test_replaces_and_removes_what_nothing_uses() -> None:
    before = program(chain, {"x": (2, 3)})
    assert operators(before) == ["relax.negative", "relax.negative", "relax.tanh"]
    assert operators(rewrite(before, double_negation)) == ["relax.tanh"]


def test_a_rule_sees_the_program_before_the_pass() -> None:
    def four(g: Graph) -> relax.Expr:
        x = g.x
        for _ in range(4):
            x = g(R.negative(x))
        return x

    assert operators(rewrite(program(four, {"x": (2,)}), double_negation)) == []


def test_keeps_inputs_and_drops_unused_weights() -> None:
    made = program(chain, {"x": (2, 3), "y": (1,)}, {"unused": (4, 4)})
    after = rewrite(made, keep)
    assert [p.name for p in after.module["main"].params] == ["x", "y"]
    assert after.weights == {}


def test_the_program_before_is_left_alone() -> None:
    before = program(chain, {"x": (2, 3)}, {"w": (1,)})
    text = before.module.script()
    rewrite(before, double_negation)
    assert before.module.script() == text
    assert list(before.weights) == ["w"]


def test_new_weights_are_made_once() -> None:
    def stack(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
        if ops.name(value) != "relax.add":
            return None
        recipe = Rows((Source("a"), Source("a")))
        return R.multiply(value.args[0], view.weight("a_twice", recipe, (2,)))

    def emit(g: Graph) -> relax.Expr:
        return g(R.add(g(R.add(g.x, g.a)), g.a))

    after = rewrite(program(emit, {"x": (2,)}, {"a": (2,)}), stack)
    assert after.weights == {"a_twice": Rows((Source("a"), Source("a")))}
    assert [p.name for p in after.module["main"].params] == ["x", "a_twice"]


def test_base_looks_through_views_only() -> None:
    def emit(g: Graph) -> relax.Expr:
        x = g(R.tanh(g.x))
        flat = g(R.reshape(g(R.expand_dims(x, 0)), (6,)))
        return g(R.negative(g(R.astype(flat, "float32"))))

    view, names = first_view(program(emit, {"x": (2, 3)}))
    tanh, cast, negative = names[0], names[3], names[4]
    assert view.base(cast) == tanh
    assert view.base(negative) == negative
    assert view.call(cast, "relax.tanh") is not None
    assert view.call(cast, "relax.negative") is None


def test_a_cast_to_another_type_is_no_view() -> None:
    def emit(g: Graph) -> relax.Expr:
        return g(R.astype(g.x, "int32"))

    view, (cast, *_) = first_view(program(emit, {"x": (2, 3)}))
    assert view.base(cast) == cast


def test_counts_uses_along_views() -> None:
    def emit(g: Graph) -> relax.Expr:
        once = g(R.tanh(g.x))
        twice = g(R.tanh(once))
        return g(R.add(g(R.reshape(twice, (6,))), g(R.reshape(g(R.negative(twice)), (6,)))))

    view, names = first_view(program(emit, {"x": (2, 3)}))
    once, twice, flat = names[:3]
    assert view.used_once(once)
    assert not view.used_once(twice)
    assert not view.used_once(flat)  # its own single use is not enough: its base has two


def test_only_weights_have_recipes() -> None:
    def emit(g: Graph) -> relax.Expr:
        return g(R.add(g.x, g.w))

    made = program(emit, {"x": (2,)}, {"w": (2,)})
    view = View(made)
    x, w = made.module["main"].params
    assert view.recipe(x) is None
    assert view.recipe(w) == Source("w")
    assert view.recipe(view.bindings[0].var) is None


def test_dump_writes_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = program(chain, {"x": (2, 3)})
    monkeypatch.delenv("WEBKILN_DUMP", raising=False)
    dump(made, 0, "nothing")
    monkeypatch.setenv("WEBKILN_DUMP", str(tmp_path / "new"))
    dump(made, 3, "pass")
    assert "R.tanh" in (tmp_path / "new" / "03-pass.py").read_text()
