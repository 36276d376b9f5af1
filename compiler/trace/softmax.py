"""Attention written out, softmax(q k^T scale) v, led to the operator.

Older models compute it themselves. Of those that ask transformers for their mask the scores are
plain, as they get none, and what it would have been is known (masks.py); others have a table of
their own, whose values tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import Graph, Node

from compiler.trace.masks import Masks

aten = torch.ops.aten

_PRODUCTS = (aten.matmul.default, aten.bmm.default)
_SOFTMAXES = (aten.softmax.int, aten._softmax.default)
_LEAST = -1e4  # less than any score by so much that its exponential is 0
# What changes no value.
_SAME = (
    aten._to_copy.default,
    aten.clone.default,
    aten.contiguous.default,
    aten.dropout.default,
    aten.to.dtype,
    aten.view.default,
    aten.reshape.default,
)


class Tables:
    """Values of what is computed from a model's buffers and constants alone, before it is cut to
    the rows in question: a window may be longer."""

    def __init__(self, exported: torch.export.ExportedProgram) -> None:
        signature = exported.graph_signature
        stored = {**exported.state_dict, **exported.constants}
        inputs = {**signature.inputs_to_buffers, **signature.inputs_to_lifted_tensor_constants}
        self._values: dict[Node, Any] = {
            node: stored[inputs[node.name]]
            for node in exported.graph.nodes
            if node.op == "placeholder" and node.name in inputs
        }

    def hides(self, node: Node) -> bool:
        """Whether it adds nothing to scores of earlier tokens and hides later ones."""
        if node.target is not aten.add.Tensor or (table := self._table(node.args[1])) is None:
            return False
        later = torch.ones(table.shape[-2:], dtype=torch.bool).triu(1)
        return bool((table[..., ~later] == 0).all() and (table[..., later] <= _LEAST).all())

    def keeps(self, node: Node) -> bool:
        """Whether it multiplies scores of earlier tokens by one."""
        if node.target is not aten.mul.Tensor or (table := self._table(node.args[1])) is None:
            return False
        return bool((table.tril() == torch.ones_like(table).tril()).all())

    def _table(self, node: Any) -> torch.Tensor | None:
        value = self._value(node)
        square = isinstance(value, torch.Tensor) and value.ndim > 1
        return value if square and value.shape[-1] == value.shape[-2] else None

    def _value(self, node: Any) -> Any:
        if not isinstance(node, Node):
            return node
        if node not in self._values:
            self._values[node] = self._computed(node) if node.op == "call_function" else None
        return self._values[node]

    def _computed(self, node: Node) -> Any:
        if node.target is aten.slice.Tensor:
            return self._value(node.args[0])
        arguments = [self._value(x) for x in node.args]
        if node.kwargs or not arguments or any(x is None for x in arguments):
            return None
        return node.target(*arguments)  # type: ignore[operator]


@dataclass(frozen=True)
class _Found:
    """One attention: query (heads, rows, depth), key (heads, depth, rows), value (heads, rows,
    depth), each perhaps behind a batch of one."""

    query: Node
    key: Node
    value: Node
    result: Node
    scale: float
    masked: bool  # by the model's own table


def recognise(exported: torch.export.ExportedProgram, masks: Masks, rows: int) -> None:
    """Replaces every attention that is written out, in order of layers, if all masks are alike and
    nothing else in the model is attention."""
    graph = exported.graph
    operator = torch.ops.webkiln.attention.default
    if len(masks.windows) > 1 or any(node.target == operator for node in graph.nodes):
        return
    tables = Tables(exported)
    matches = (_match(node, rows, tables) for node in graph.nodes if node.target in _SOFTMAXES)
    found = [match for match in matches if match is not None]
    if not all(match.masked or masks.windows for match in found):
        return
    for layer, match in enumerate(found):
        _replace(graph, match, layer, max(masks.windows, default=0))
    graph.eliminate_dead_code()
    exported.graph_module.recompile()


def _match(softmax: Node, rows: int, tables: Tables) -> _Found | None:
    shape = _shape(softmax)
    if softmax.args[1] not in (-1, len(shape) - 1) or shape[-2:] != (rows, rows):
        return None
    scores, scale, masked = _scaled(softmax.args[0], tables)
    result = _weighed(softmax)
    if scores is None or result is None:
        return None
    query, key = scores.args
    value = result.args[1]
    if not all(isinstance(x, Node) and _heads(x) for x in (query, key, value)):
        return None
    return _Found(query, key, value, result, scale, masked)  # type: ignore[arg-type]


def _scaled(node: Any, tables: Tables) -> tuple[Node | None, float, bool]:
    """The product behind scores, what it is multiplied by, and whether later tokens are masked."""
    scale, masked = 1.0, False
    while isinstance(node, Node):
        if node.target in _PRODUCTS:
            return node, scale, masked
        if (factor := _factor(node)) is not None:
            scale *= factor
        elif tables.hides(node):
            masked = True
        elif not tables.keeps(node) and node.target not in _SAME:
            break
        node = node.args[0]
    return None, scale, masked


def _factor(node: Node) -> float | None:
    if len(node.args) < 2 or not isinstance(node.args[1], int | float):
        return None
    if node.target in (aten.mul.Tensor, aten.mul.Scalar):
        return float(node.args[1])
    return 1 / node.args[1] if node.target in (aten.div.Tensor, aten.div.Scalar) else None


def _weighed(softmax: Node) -> Node | None:
    """The product of weights and values, if nothing else reads the weights."""
    node = softmax
    while len(node.users) == 1:
        (user,) = node.users
        if user.target in _PRODUCTS:
            return user if user.args[0] is node else None
        if user.target not in _SAME:
            break
        node = user
    return None


def _heads(node: Node) -> bool:
    """(heads, ., .) or (1, heads, ., .)."""
    shape = _shape(node)
    return len(shape) == 3 or (len(shape) == 4 and shape[0] == 1)


def _shape(node: Node) -> tuple[int, ...]:
    return tuple(node.meta["val"].shape)


def _replace(graph: Graph, found: _Found, layer: int, window: int) -> None:
    with graph.inserting_before(found.result):
        heads = [found.query, _call(graph, aten.transpose.int, found.key, -1, -2), found.value]
        heads = [
            x if len(_shape(x)) == 4 else _call(graph, aten.unsqueeze.default, x, 0) for x in heads
        ]
        depth = max(_shape(x)[-1] for x in heads)
        padded = [_padded(graph, x, -(-depth // 4) * 4) for x in heads]
        settings = (None, None, layer, found.scale, window, 0.0, True)
        out = _call(graph, torch.ops.webkiln.attention.default, *padded, *settings)
        out = _call(graph, aten.slice.Tensor, out, -1, 0, _shape(heads[2])[-1])
        out = _call(graph, aten.transpose.int, out, 1, 2)
        out = _call(graph, aten.reshape.default, out, list(_shape(found.result)))
    found.result.replace_all_uses_with(out)


def _padded(graph: Graph, node: Node, depth: int) -> Node:
    missing = depth - _shape(node)[-1]
    return _call(graph, aten.constant_pad_nd.default, node, [0, missing]) if missing else node


def _call(graph: Graph, target: Any, *args: Any) -> Node:
    node = graph.call_function(target, args)
    values: Sequence[Any] = [x.meta["val"] if isinstance(x, Node) else x for x in args]
    node.meta["val"] = target(*values)
    return node
