"""Schedules for what no pass recognised, on CPUs: producers inlined, items to share.

LLVM vectorises the loops; what is left to decide is which loop threads divide among themselves.
"""

from __future__ import annotations

from typing import Any

import tvm
from tvm import s_tir, tirx
from tvm.s_tir.dlight.analysis import normalize_prim_func
from tvm.s_tir.dlight.base import try_inline

ITEMS = "webkiln.items"  # attribute of a scheduled PrimFunc: extent of the loop that is shared


def schedule(module: tvm.IRModule) -> tvm.IRModule:
    """Every PrimFunc gets the parameters begin and end after its buffers, and an attribute ITEMS.

    A single nest of loops is shared along its first spatial axis. Several nests depend on each
    other and stay with one thread: a single item.
    """
    functions = {
        name: _scheduled(function) if isinstance(function, tirx.PrimFunc) else function
        for name, function in module.functions.items()
    }
    return tvm.IRModule(functions, attrs=module.attrs)


def _scheduled(function: tirx.PrimFunc) -> tirx.PrimFunc:
    plan = s_tir.Schedule(tvm.IRModule({"main": function}))
    blocks = normalize_prim_func(plan)
    items = 1
    if blocks is not None:
        remaining = try_inline(plan, blocks)
        if len(remaining) == 1:
            items = _items(remaining[0])
    begin, end = (tirx.Var(name, "int32") for name in ("begin", "end"))
    result = plan.mod["main"]
    body = _shared(result.body, begin, end) if items > 1 else _once(result.body, begin, end)
    made = tirx.PrimFunc([*result.params, begin, end], body, result.ret_type, result.attrs)
    return made.with_attr(ITEMS, items)


def _items(block: Any) -> int:
    """Extent of the outermost loop if it may be shared, else 1. What a normalised block sums over
    comes last, and it has no axis of a single value unless that is all it has."""
    if not block.iters:  # a single number
        return 1
    first = block.iters[0]
    return int(first.dom) if first.kind == "S" else 1


def _shared(realize: Any, begin: tirx.Var, end: tirx.Var) -> Any:
    """The root block with its outermost loop from begin to end."""
    loop = realize.block.body
    share = tirx.For(loop.loop_var, begin, end - begin, tirx.ForKind.SERIAL, loop.body)
    return _with_body(realize, share)


def _once(realize: Any, begin: tirx.Var, end: tirx.Var) -> Any:
    """The root block for the thread that has the only item."""
    return _with_body(realize, tirx.IfThenElse(begin < end, realize.block.body, None))


def _with_body(realize: Any, body: Any) -> Any:
    root = realize.block
    block = s_tir.SBlock(
        root.iter_vars, root.reads, root.writes, root.name_hint, body, None, root.alloc_buffers
    )
    return s_tir.SBlockRealize(realize.iter_values, realize.predicate, block)
