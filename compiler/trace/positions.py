"""Positions, for models that count them instead of taking them.

Such models ask their cache how many tokens it holds. The one they are traced with claims a number
that occurs nowhere else, and wherever the trace has it, the first token's position is put instead.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import torch
from torch.fx import Graph, Node
from transformers import DynamicCache

from compiler.errors import UnsupportedModelError

LENGTH = 1_000_003  # tokens the cache claims to hold; more than positions have embeddings
# Numbers up to here come of it: a chunk of tokens longer, and what models add to positions (OPT 2,
# RoBERTa the padding token and 1).
LARGEST = LENGTH + 5_000

aten = torch.ops.aten

_UPDATED: ContextVar[int | None] = ContextVar("updated", default=None)


class CountingCache(DynamicCache):  # type: ignore[misc]
    """A cache that keeps nothing: the attention operator has one of its own."""

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return LENGTH

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        return LENGTH + query_length, 0

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        layer_idx: int,
        *_: Any,
        **__: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        _UPDATED.set(layer_idx)
        return key_states, value_states

    def update_indexer(self, indexer_key_states: torch.Tensor, layer_idx: int) -> torch.Tensor:
        return indexer_key_states


def updated_layer() -> int | None:
    """The layer whose keys and values the cache was last given, once: those that attention is
    about to read. A block that runs several times has a layer of the cache for each."""
    layer = _UPDATED.get()
    _UPDATED.set(None)
    return layer


def skipped(model: torch.nn.Module) -> int:
    """Positions at the start of the table of those models that count from after its padding index
    on (RoBERTa); what such a model is given as positions it takes as they are."""
    words = model.get_input_embeddings()  # type: ignore[operator]
    tables = [m for m in model.modules() if isinstance(m, torch.nn.Embedding) and m is not words]
    return max((1 + m.padding_idx for m in tables if m.padding_idx is not None), default=0)


def count_from_input(exported: torch.export.ExportedProgram, rows: int) -> None:
    """Replaces what was counted from the cache's length by the input `positions`.

    Raises UnsupportedModelError where the length is used in another way.
    """
    graph = exported.graph
    for node in graph.nodes:  # torch.export may forget that a node reads another
        for source in node.all_input_nodes:
            source.users.setdefault(node)
    for node in list(graph.nodes):  # what is checked would count as used
        if node.target == aten._assert_tensor_metadata.default:
            graph.erase_node(node)
    graph.eliminate_dead_code()
    names = [spec.arg.name for spec in exported.graph_signature.input_specs]
    user = [name for name in exported.graph_signature.user_inputs if name in names]
    positions = next(node for node in graph.nodes if node.name == user[1])
    for node in list(graph.nodes):
        if _mentions(node):
            _replace(graph, node, positions, rows)
    graph.eliminate_dead_code()
    exported.graph_module.recompile()


def _mentions(node: Node) -> bool:
    return node.op == "call_function" and any(_is_count(x) for x in node.args)


def _is_count(x: object) -> bool:
    return isinstance(x, int) and LENGTH <= x <= LARGEST


def _replace(graph: Graph, node: Node, positions: Node, rows: int) -> None:
    first = next(x for x in node.args if isinstance(x, int) and _is_count(x)) - LENGTH
    with graph.inserting_before(node):
        if node.target in (aten.arange.start, aten.arange.start_step):
            if node.args[1] != node.args[0] + rows:  # type: ignore[operator]
                raise _refusal(node)
            own = graph.call_function(aten.select.int, (positions, 0, 0))
        elif node.target in (aten.add.Tensor, aten.add.Scalar):
            row = graph.call_function(aten.select.int, (positions, 0, 0))
            start = graph.call_function(aten.select.int, (row, 0, 0))
            own = graph.call_function(aten.add.Tensor, (node.args[0], start))
        else:
            raise _refusal(node)
        if first:
            own = graph.call_function(aten.add.Tensor, (own, first))
        own = graph.call_function(aten._to_copy.default, (own,), {"dtype": node.meta["val"].dtype})
    own.meta = dict(node.meta)
    node.replace_all_uses_with(own)
    graph.erase_node(node)


def _refusal(node: Node) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"the model counts positions in a way that is not supported yet: {node.target}{node.args}"
    )
