"""A user's graph on the cache: what is recognised, and what is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.fx import GraphModule
from torch.nn import functional as F

from compiler.trace import sequence
from compiler.trace.rehearse import chunks, rehearse
from compiler.trace.sequence import NotCached, aten, plain, use_cache

pytestmark = pytest.mark.slow  # traces or compiles models

CONTEXT, WIDTH = 48, 16


class Mixed(nn.Module):
    """One way for later tokens to look at earlier ones, between an embedding and a head."""

    def __init__(self, mix: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.head = nn.Embedding(40, WIDTH), nn.Linear(WIDTH, 40)
        self.mix = mix

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.head(self.mix(self.embedding(ids)))
        return logits


def edited(module: nn.Module, context: int = CONTEXT) -> GraphModule:
    """Ready for the cache, or NotCached."""
    ids = torch.zeros(1, 8, dtype=torch.int32)
    dynamic = ({1: Dim.DYNAMIC},)
    exported = torch.export.export(module.eval(), (ids,), dynamic_shapes=dynamic, strict=False)
    graph = plain(exported.module(), 1)
    use_cache(graph, context)
    return graph


def check(module: nn.Module) -> GraphModule:
    graph = edited(module)
    rehearse(graph, lambda ids: module(ids), 40, CONTEXT)
    return graph


def attend(x: Tensor, mask: Tensor | None = None, **settings: object) -> Tensor:
    q, k, v = ((x * f).unflatten(-1, (2, -1)).transpose(1, 2) for f in (3.0, 2.0, 1.0))
    y = F.scaled_dot_product_attention(q, k, v, mask, **settings)  # type: ignore[arg-type]
    return y.transpose(1, 2).flatten(2)


def windows(graph: GraphModule) -> list[object]:
    return [n.args[5] for n in graph.graph.nodes if n.target is sequence.attention]


def distance(x: Tensor) -> Tensor:
    place = torch.arange(x.shape[1])
    return place[:, None] - place


@pytest.mark.parametrize(
    ("mask", "window"),
    [
        (lambda x: distance(x) >= 0, 0),
        (lambda x: (distance(x) >= 0) & (distance(x) < 7), 7),
        (lambda x: torch.where(distance(x) >= 0, 0.0, -1e9), 0),
        (lambda x: torch.full((1, 2, x.shape[1], x.shape[1]), -torch.inf).triu(1), 0),
    ],
)
def test_masks_that_are_causal(mask: Callable[[Tensor], Tensor], window: int) -> None:
    graph = check(Mixed(lambda x: attend(x, mask(x))))
    assert windows(graph) == [window]


@pytest.mark.parametrize(
    ("mix", "reason"),
    [
        (lambda x: attend(x), "looks at later tokens too"),
        (lambda x: attend(x, distance(x) > -2), "mask that is not causal"),
        (lambda x: attend(x, (distance(x) >= 0) & (distance(x) != 3)), "that is not causal"),
        (lambda x: attend(x, torch.where(distance(x) >= 0, 0.1, -1e9)), "that is not causal"),
        (lambda x: attend(x, (distance(x) >= 0) & (x[0, :, 0] > 0)), "depends on the tokens"),
        (lambda x: attend(x, is_causal=True, dropout_p=0.1), "dropout"),
        (lambda x: attend(x.transpose(1, 2)[..., :8]).transpose(1, 2), "something else"),
    ],
)
def test_attention_that_is_not(mix: Callable[[Tensor], Tensor], reason: str) -> None:
    with pytest.raises(NotCached, match=reason):
        edited(Mixed(mix))


def test_masks_too_large_to_be_looked_at() -> None:
    """A window may be wider than what is looked at."""
    with pytest.raises(NotCached, match="at a context beyond 4096 tokens"):
        edited(Mixed(lambda x: attend(x, distance(x) >= 0)), 4097)


TABLE = torch.sin(torch.arange(CONTEXT + 5)[:, None] * torch.arange(1, WIDTH + 1) * 0.3)


@pytest.mark.parametrize(
    "add",
    [
        lambda x: TABLE[: x.shape[1]],
        lambda x: TABLE[3 : x.shape[1] + 3],
        lambda x: TABLE.narrow(0, 2, x.shape[1]),
        lambda x: torch.arange(1, x.shape[1] + 1)[:, None] * 0.1,
        lambda x: torch.arange(x.shape[1], dtype=torch.float32)[:, None].sin(),
        lambda x: F.embedding(torch.arange(x.shape[1]), TABLE),
    ],
)
def test_positions_go_on_from_the_first(add: Callable[[Tensor], Tensor]) -> None:
    graph = check(Mixed(lambda x: attend(x + add(x), is_causal=True)))
    counted = [n for n in graph.graph.nodes if n.target in (aten.arange.start, aten.arange.default)]
    assert not counted


@pytest.mark.parametrize(
    ("mix", "reason"),
    [
        (lambda x: x.cumsum(1), r"aten\.cumsum"),
        (lambda x: x + x[:, :1], r"aten\.add"),
        (lambda x: x / x.shape[1], r"aten\.div"),
        (lambda x: x + F.pad(x, (0, 0, 1, 0))[:, :-1], r"aten\.slice"),
        (
            lambda x: attend(x * torch.arange(x.shape[1], 0, -1)[:, None] / 9, is_causal=True),
            "aten",
        ),
    ],
)
def test_what_mixes_positions_is_named(mix: Callable[[Tensor], Tensor], reason: str) -> None:
    module = Mixed(mix)
    with pytest.raises(NotCached, match=reason):
        check(module)


def test_a_wrong_match_is_noticed() -> None:
    """With a position of 0 for every token."""
    module = Mixed(lambda x: attend(x + TABLE[: x.shape[1]], is_causal=True))
    graph = edited(module)
    call = next(n for n in graph.graph.nodes if n.target is aten.index_select.default)
    with graph.graph.inserting_before(call):
        start = graph.graph.call_function(aten.mul.Tensor, (call.args[2], 0))
    call.args = (*call.args[:2], start)
    graph.recompile()
    with pytest.raises(NotCached, match="something that mixes positions"):
        rehearse(graph, lambda ids: module(ids), 40, CONTEXT)


@pytest.mark.parametrize("count", [1, 2, 5, 8, 9, 48, 96])
def test_a_rehearsal_covers_all_tokens(count: int) -> None:
    assert sum(chunks(count)) == count
    assert all(size > 0 for size in chunks(count))
