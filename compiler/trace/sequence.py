"""A user's graph for any number of tokens, changed to run on some of them after cached others.

Causal attention becomes the cached operator, and what counts from the first token (an arange over
the sequence, the first rows of a table) counts from the first token's position.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import GraphModule, Node, map_arg

from compiler.trace.attention import attend

aten = torch.ops.aten

# What checks inputs or shapes and computes nothing.
_CHECKS = {
    aten._assert_scalar.default,
    aten._assert_tensor_metadata.default,
    aten.sym_constrain_range.default,
    aten.sym_constrain_range_for_size.default,
}
_MASKED = -1e4  # what is added to scores that are to be ignored, at most
_MOST_CHECKED = 4096  # positions up to which a mask is looked at: some are of 8 bytes each


class NotCached(Exception):
    """Why earlier tokens' keys and values do not serve later ones."""


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    layer: int,
    scale: float | None,
    window: int,
) -> torch.Tensor:
    """(1, heads, rows, depth) each -> (1, rows, heads, depth): `attend` as one call of a graph."""
    return attend(query, key, value, layer=layer, scale=scale, window=window)


def plain(module: GraphModule, inputs: int) -> GraphModule:
    """An exported program's module with a plain signature (ids, positions) and no checks.

    `inputs`: 1 where positions are not among its own.
    """
    graph = module.graph
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    for node in reversed(list(graph.nodes)):
        is_check = node.target in _CHECKS if node.op == "call_function" else False
        if is_check or (node.op == "call_module" and not node.users):
            graph.erase_node(node)
    if inputs == 1:
        with graph.inserting_after(placeholders[0]):
            graph.placeholder("positions")
    output = next(node for node in graph.nodes if node.op == "output")
    while isinstance(output.args[0], tuple | list):
        output.args = (output.args[0][0],)
    graph.set_codegen(torch.fx.graph.CodeGen())
    eliminate(graph)
    return GraphModule(module, graph)


def eliminate(graph: torch.fx.Graph) -> None:
    """Removes what nothing uses; inputs stay."""
    graph.eliminate_dead_code(lambda node: node.op in ("placeholder", "output"))


def use_cache(module: GraphModule, context: int) -> int:
    """Changes `module` in place; how many attention layers it has.

    Raises NotCached where a use of the sequence's length is none of the known ones.
    """
    edit = _Edit(module, context)
    edit.attention()
    eliminate(module.graph)
    edit.positions()
    eliminate(module.graph)
    module.recompile()
    return edit.layers


class _Edit:
    def __init__(self, module: GraphModule, context: int) -> None:
        self.module, self.graph, self.context = module, module.graph, context
        self.ids, self.position_ids = list(self.graph.find_nodes(op="placeholder"))
        self.rows = self.ids.meta["val"].shape[1].node.expr
        self.layers = 0

    def attention(self) -> None:
        targets = {aten.scaled_dot_product_attention.default}
        for node in [node for node in self.graph.nodes if node.target in targets]:
            self._cached(node)

    def _cached(self, node: Node) -> None:
        names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
        given: dict[str, Any] = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
        query, key, value = (given[name] for name in names[:3])
        shapes = [operand.meta["val"].shape for operand in (query, key, value)]
        if any(len(s) != 4 or s[0] != 1 or not self._is_rows(s[2]) for s in shapes):
            raise NotCached("attention over something else than (1, heads, rows, depth)")
        heads, kv_heads = int(shapes[0][1]), int(shapes[1][1])
        grouped = given.get("enable_gqa", False) or kv_heads in (1, heads)
        if shapes[1][1] != shapes[2][1] or heads % kv_heads or not grouped:
            raise NotCached(f"attention of {heads} heads on {kv_heads}")
        if given.get("dropout_p", 0.0):
            raise NotCached("attention with dropout, which module.eval() should switch off")
        window = 0
        if not given.get("is_causal", False):
            window = self._window(given.get("attn_mask"))
        settings = (self.layers, given.get("scale"), window)
        self.layers += 1
        with self.graph.inserting_before(node):
            result = self.graph.call_function(attention, (query, key, value, *settings))
            turned = self.graph.call_function(aten.transpose.int, (result, 1, 2))
        turned.meta = dict(node.meta)
        node.replace_all_uses_with(turned)
        self.graph.erase_node(node)
        for user in list(turned.users):  # what nearly every model does next
            if user.target is aten.transpose.int and set(user.args[1:]) == {1, 2}:
                user.replace_all_uses_with(result)

    def _window(self, mask: Any) -> int:
        """How many positions back a causal mask lets tokens see, 0: all."""
        if mask is None:
            raise NotCached("attention that looks at later tokens too")
        if self.context > _MOST_CHECKED:
            raise NotCached(
                f"an attention mask at a context beyond {_MOST_CHECKED} tokens, which is not "
                "looked at (is_causal=True needs none)"
            )
        rows = self.context
        values = self._value(mask, rows, {})
        if values.shape[-2:] != (rows, rows):
            raise NotCached("an attention mask that is not causal")
        seen = values if values.dtype == torch.bool else values == 0
        hidden = ~values if values.dtype == torch.bool else values <= _MASKED
        width = int(seen[..., -1, :].sum(-1).max())
        expected = torch.ones(rows, rows, dtype=torch.bool).tril().triu(1 - width)
        if not bool((seen == expected).all() and (hidden == ~expected).all()):
            raise NotCached("an attention mask that is not causal")
        return width if width < rows else 0

    def _value(self, node: Any, rows: int, known: dict[Node, Any]) -> Any:
        """What a node gives on `rows` tokens, as long as it depends on nothing else."""
        if not isinstance(node, Node):
            return node
        if node not in known:
            known[node] = self._computed(node, rows, known)
        return known[node]

    def _computed(self, node: Node, rows: int, known: dict[Node, Any]) -> Any:
        if node.op == "get_attr":
            return operator.attrgetter(str(node.target))(self.module)
        if node.target is aten.sym_size.int and node.args == (self.ids, 1):
            return rows
        if node.op != "call_function":
            raise NotCached("an attention mask that depends on the tokens")

        def value(below: Node) -> Any:
            return self._value(below, rows, known)

        args, kwargs = map_arg((node.args, dict(node.kwargs)), value)
        target: Callable[..., Any] = node.target  # type: ignore[assignment]
        return target(*args, **kwargs)

    def positions(self) -> None:
        for node in list(self.graph.nodes):
            if node.target in _COUNTS:
                self._count(node, *_COUNTS[node.target](*node.args))
            elif node.target in (aten.slice.Tensor, aten.narrow.default):
                self._slice(node)

    def _count(self, node: Node, start: Any, end: Any, step: Any) -> None:
        """arange(start, start + rows)"""
        if step != 1 or not isinstance(start, int) or not self._is_rows(_val(end), start):
            return
        with self.graph.inserting_before(node):
            own = self._positions(start)
            dtype = {"dtype": node.meta["val"].dtype}
            own = self.graph.call_function(aten._to_copy.default, (own,), dtype)
        self._replace(node, own)

    def _slice(self, node: Node) -> None:
        """table[start : start + rows], along an axis that does not grow with the sequence"""
        table, axis, start, end = (*node.args, 0, None, None)[:4]
        is_narrow = node.target is aten.narrow.default
        start = 0 if start is None else start
        extent = _val(table).shape[axis]
        whole = not isinstance(extent, int) or len(node.args) > 4
        if whole or not isinstance(start, int) or start < 0:
            return
        if not self._is_rows(_val(end), 0 if is_narrow else start):
            return
        with self.graph.inserting_before(node):
            arguments = (table, axis, self._positions(start))
            own = self.graph.call_function(aten.index_select.default, arguments)
        self._replace(node, own)

    def _positions(self, start: int) -> Node:
        own = self.graph.call_function(aten.select.int, (self.position_ids, 0, 0))
        return self.graph.call_function(aten.add.Tensor, (own, start)) if start else own

    def _replace(self, node: Node, own: Node) -> None:
        own.meta = dict(node.meta)
        node.replace_all_uses_with(own)
        self.graph.erase_node(node)

    def _is_rows(self, value: Any, more: int = 0) -> bool:
        """Whether a number is that of the sequence's tokens, and `more`."""
        return isinstance(value, torch.SymInt) and value.node.expr == self.rows + more


_COUNTS: dict[Any, Callable[..., tuple[Any, Any, Any]]] = {
    aten.arange.default: lambda end: (0, end, 1),
    aten.arange.start: lambda start, end: (start, end, 1),
    aten.arange.start_step: lambda start, end, step=1: (start, end, step),
}


def _val(node: Any) -> Any:
    return node.meta["val"] if isinstance(node, Node) else node
