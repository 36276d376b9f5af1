"""Cached decoding rehearsed in PyTorch against the module on the whole sequence, before anything
is compiled: a wrong guess about what a user's graph means must not reach a browser."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch.fx import GraphModule, Interpreter, Node

from compiler.trace import sequence
from compiler.trace.sequence import NotCached

Cache = dict[int, tuple[torch.Tensor, torch.Tensor]]  # layer to keys and values (1, heads, n, d)

MOST = 96  # tokens of a rehearsal
TOLERANCE = 1e-4  # of the largest logit: two f32 evaluations of one model


def chunks(count: int) -> list[int]:
    """`count` tokens in a prompt, single tokens and a few at a time."""
    first = -(-count // 2)
    few = [1, 1, 3] if count - first >= 5 else []
    return [first, *few, *[1] * (count - first - sum(few))]


class _Run(Interpreter):
    """The graph on some tokens, with what earlier runs left in the cache."""

    def __init__(self, module: GraphModule, cache: Cache) -> None:
        super().__init__(module)
        self.cache = cache
        self.values: dict[Node, Any] = {}
        self.keep = False

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if target is sequence.attention:
            return self._attention(*args)
        return super().call_function(target, args, kwargs)

    def run_node(self, n: Node) -> Any:
        result = super().run_node(n)
        if self.keep:
            self.values[n] = result
        return result

    def _attention(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        layer: int,
        scale: float | None,
        window: int,
    ) -> torch.Tensor:
        if layer in self.cache:
            key, value = (
                torch.cat(pair, 2) for pair in zip(self.cache[layer], (key, value), strict=True)
            )
        self.cache[layer] = key, value
        rows, total = query.shape[2], key.shape[2]
        mask = torch.ones(rows, total, dtype=torch.bool).tril(total - rows)
        if window:
            mask = mask.triu(total - rows - window + 1)
        attend = torch.nn.functional.scaled_dot_product_attention
        out = attend(query, key, value, mask, scale=scale, enable_gqa=True)
        return out.transpose(1, 2)


def most_positions(module: GraphModule, context: int) -> int:
    """How many of `context` positions the module's tables have."""

    def has(count: int) -> bool:
        ids = torch.zeros(1, 1, dtype=torch.int32)
        try:
            with torch.no_grad():
                _Run(module, {}).run(ids, torch.full_like(ids, count - 1))
        except (IndexError, RuntimeError):
            return False
        return True

    if has(context):
        return context
    least, most = 1, context
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if has(middle) else (least, middle)
    return least


def rehearse(
    module: GraphModule,
    expected: Callable[[torch.Tensor], torch.Tensor],
    vocabulary: int,
    most: int,
) -> None:
    """Raises NotCached, naming what goes wrong first, unless runs on a few tokens at a time give
    what `expected` gives for all of them, (1, n) -> (1, n, vocabulary)."""
    count = min(most, MOST)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(vocabulary, (1, count), generator=generator, dtype=torch.int32)
    with torch.no_grad():
        wanted = expected(ids)
        found = torch.cat(_decoded(module, ids), 1)
        if not differ(found, wanted):
            return
        raise NotCached(_culprit(module, ids))


def _decoded(module: GraphModule, ids: torch.Tensor) -> list[torch.Tensor]:
    """Logits of a few tokens at a time."""
    cache: Cache = {}
    positions = torch.arange(ids.shape[1], dtype=torch.int32)[None]
    sizes = chunks(ids.shape[1])
    parts = zip(torch.split(ids, sizes, 1), torch.split(positions, sizes, 1), strict=True)
    return [_Run(module, cache).run(*part) for part in parts]


def differ(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Whether logits are not those of the same arithmetic."""
    return not float((found - wanted).abs().max()) <= TOLERANCE * float(wanted.abs().max())


def _culprit(module: GraphModule, ids: torch.Tensor) -> str:
    """The first operator whose result for the last token is another when that comes alone."""
    positions = torch.arange(ids.shape[1], dtype=torch.int32)[None]
    whole = _Run(module, {})
    whole.keep = True
    whole.run(ids, positions)
    cache: Cache = {}
    _Run(module, cache).run(ids[:, :-1], positions[:, :-1])
    alone = _Run(module, cache)
    alone.keep = True
    alone.run(ids[:, -1:], positions[:, -1:])
    for node, value in whole.values.items():
        axis = _row_axis(node)
        if axis is None or not value.is_floating_point():
            continue
        if differ(alone.values[node].select(axis, 0), value.select(axis, -1)):
            return describe(node)
    return "something that mixes positions"


def _row_axis(node: Node) -> int | None:
    """Along which axis a tensor has one entry for each token, if it is one."""
    shape = getattr(node.meta.get("val"), "shape", ())
    dynamic = [axis for axis, extent in enumerate(shape) if isinstance(extent, torch.SymInt)]
    return dynamic[0] if len(dynamic) == 1 and shape[dynamic[0]].node.expr.is_Symbol else None


def describe(node: Node) -> str:
    """An operator, and the line of the user's code that it comes from."""
    name = str(node.target).removesuffix(".default")
    lines = [line.strip() for line in str(node.meta.get("stack_trace") or "").splitlines()]
    code = [b for a, b in pairwise(lines) if a.startswith("File") and "/torch/" not in a]
    return f"{name} ({code[-1]})" if code else name
