"""The one way passes change a program: walk the bindings in order and let a rule replace values.

A rule sees the program before the pass (through `View`) and returns a new expression in terms of
its variables, or None to keep a binding. What a replacement leaves unused is removed afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from tvm import relax

from compiler.graph import ops
from compiler.graph.program import Program, Recipe

# Views change a tensor's shape and nothing else; patterns look through them.
VIEWS = {"relax.reshape", "relax.expand_dims", "relax.squeeze", "relax.flatten"}


class View:
    """Definitions and uses of the variables of `main`, and new weights a rule asks for."""

    def __init__(self, program: Program) -> None:
        main = program.module["main"]
        self.weights = dict(program.weights)
        self.params = list(main.params)
        self.result = main.body.body
        self._block = main.body.blocks[0]
        self._values = {b.var: b.value for b in self._block.bindings}
        self._uses: dict[relax.Var, int] = {}
        for expr in [*self._values.values(), main.body.body]:
            for var in _variables(expr):
                self._uses[var] = self._uses.get(var, 0) + 1
        self._added: dict[str, relax.Var] = {}
        self._readers: dict[relax.Var, list[relax.Var]] = {}
        for binding in self._block.bindings:
            for var in dict.fromkeys(_variables(binding.value)):
                self._readers.setdefault(var, []).append(binding.var)

    @property
    def bindings(self) -> list[relax.Binding]:
        return list(self._block.bindings)

    def value(self, expr: relax.Expr) -> relax.Expr:
        """What a variable is bound to; other expressions are returned as they are."""
        return self._values.get(expr, expr) if isinstance(expr, relax.Var) else expr

    def base(self, expr: relax.Expr) -> relax.Expr:
        """The variable behind any views of `expr`."""
        while True:
            value = self.value(expr)
            same = ops.name(value) == "relax.astype" and ops.dtype(value.args[0]) == ops.dtype(
                value
            )
            if not same and ops.name(value) not in VIEWS:
                return expr
            expr = value.args[0]

    def call(self, expr: relax.Expr, name: str) -> relax.Call | None:
        """The call of operator `name` that `expr` is a view of, else None."""
        value = self.value(self.base(expr))
        return value if ops.name(value) == name else None

    def used_once(self, expr: relax.Expr) -> bool:
        """Whether `expr`, and every view between it and its base, has exactly one use."""
        while isinstance(expr, relax.Var) and self._uses.get(expr, 0) == 1:
            value = self.value(expr)
            if ops.name(value) not in VIEWS | {"relax.astype"}:
                return True
            expr = value.args[0]
        return False

    def direct_readers(self, var: relax.Var) -> list[relax.Var]:
        """What is computed from `var` itself, in order."""
        return self._readers.get(var, [])

    def readers(self, var: relax.Var) -> list[relax.Var]:
        """What is computed from `var` or from views of it, in order."""
        found: list[relax.Var] = []
        for reader in self._readers.get(var, []):
            is_view = self.base(reader) != reader
            found += self.readers(reader) if is_view else [reader]
        order = {binding.var: i for i, binding in enumerate(self.bindings)}
        return sorted(dict.fromkeys(found), key=lambda reader: order[reader])

    def recipe(self, expr: relax.Expr) -> Recipe | None:
        """The recipe of a weight parameter, else None."""
        return self.weights.get(expr.name) if ops.is_param(expr) else None

    def weight(self, name: str, recipe: Recipe, shape: tuple[int, ...]) -> relax.Var:
        """A new weight parameter, made once per name."""
        if name not in self._added:
            self._added[name] = relax.Var(name, relax.TensorType(list(shape), "float32"))
            self.weights[name] = recipe
        return self._added[name]

    @property
    def added(self) -> list[relax.Var]:
        return list(self._added.values())


Rule: TypeAlias = Callable[[View, relax.Var, relax.Expr], "relax.Expr | None"]


def rewrite(program: Program, rule: Rule, name: str | None = None) -> Program:
    """Applies `rule` to every binding in order, then drops dead bindings and unused weights. With
    `name` that is what variables are called, and a number."""
    view = View(program)
    main = program.module["main"]
    builder = relax.BlockBuilder()
    env: dict[relax.Var, relax.Expr] = {}
    replaced: list[tuple[relax.Var, relax.Expr]] = []
    for binding in view.bindings:
        value = rule(view, binding.var, binding.value)
        replaced.append((binding.var, binding.value if value is None else value))
    params = [*view.params, *view.added]
    with builder.function("main", params, attrs=dict(main.attrs) if main.attrs else None):
        with builder.dataflow():
            for var, value in replaced:
                new = _substitute(value, env)
                keep = isinstance(new, relax.Var) or var == view.result
                env[var] = new if keep else builder.emit(new, name_hint=name or var.name)
            result = builder.emit_output(env[view.result])
        builder.emit_func_output(result)
    module = builder.get()
    return _prune(replace(program, module=module, weights=view.weights))


def _prune(program: Program) -> Program:
    """Removes dead bindings and the weights nothing reads any more."""
    module = relax.transform.DeadCodeElimination(["main"])(program.module)
    main = module["main"]
    used = set(relax.analysis.free_vars(main.body))
    keep = [p for p in main.params if p.name not in program.weights or p in used]
    pruned = relax.Function(keep, main.body, main.ret_ty, main.is_pure, main.attrs)
    module.update_func(module.get_global_var("main"), pruned)
    weights = {p.name: program.weights[p.name] for p in keep if p.name in program.weights}
    return replace(program, module=module, weights=weights)


def _substitute(expr: relax.Expr, env: dict[relax.Var, relax.Expr]) -> relax.Expr:
    """`expr` with variables replaced by what `env` says, one level of nesting at a time."""
    if isinstance(expr, relax.Var):
        return env.get(expr, expr)
    if isinstance(expr, relax.Tuple):
        return relax.Tuple([_substitute(field, env) for field in expr.fields])
    if isinstance(expr, relax.TupleGetItem):
        return relax.TupleGetItem(_substitute(expr.tuple_value, env), expr.index)
    if isinstance(expr, relax.Call):
        args = [_substitute(arg, env) for arg in expr.args]
        return relax.Call(expr.op, args, expr.attrs, expr.ty_args)
    return expr


def _variables(expr: relax.Expr) -> list[relax.Var]:
    return list(relax.analysis.all_vars(expr))


def dump(program: Program, index: int, name: str) -> None:
    """Writes the module after a pass where WEBKILN_DUMP says, for people."""
    if folder := os.environ.get("WEBKILN_DUMP"):
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        (path / f"{index:02d}-{name}.py").write_text(program.module.script(show_meta=False))
