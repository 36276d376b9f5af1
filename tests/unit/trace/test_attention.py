"""What models pass to their attention, and what of it is understood."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers.modeling_utils import AttentionInterface

from compiler.errors import UnsupportedModelError
from compiler.trace import attention, masks
from compiler.trace.positions import CountingCache


class Attention(torch.nn.Module):
    layer_idx = 3


class Unnumbered(torch.nn.Module):
    pass


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Layer, scale, window, softcap and causality of each call, after slopes and sinks."""
    calls: list[tuple[Any, ...]] = []

    def record(query: torch.Tensor, key: Any, value: Any, *settings: Any) -> torch.Tensor:
        calls.append(settings)
        return query.transpose(1, 2)

    monkeypatch.setattr(attention, "attention", record)
    return calls


def call(module: torch.nn.Module | None = None, **arguments: Any) -> None:
    """As transformers calls the implementation it is told to use."""
    attention.register()
    function = AttentionInterface()[attention.IMPLEMENTATION]
    x = torch.zeros(1, 2, 5, 16)
    function(module or Attention(), x, x, x, arguments.pop("mask", None), **arguments)


def test_defaults(recorded: list[tuple[Any, ...]]) -> None:
    call()
    assert recorded == [(None, None, 3, 0.25, 0, 0.0, True)]  # 16 ** -0.5


def test_settings(recorded: list[tuple[Any, ...]]) -> None:
    call(scaling=0.5, sliding_window=128, softcap=50.0)
    assert recorded == [(None, None, 3, 0.5, 128, 50.0, True)]


def test_arguments_that_change_nothing_are_ignored(recorded: list[tuple[Any, ...]]) -> None:
    call(dropout=0.0, position_ids=torch.zeros(1), is_causal=True, use_cache=False)
    assert len(recorded) == 1


def test_unknown_arguments_that_are_none_are_ignored(recorded: list[tuple[Any, ...]]) -> None:
    call(position_bias=None)
    assert len(recorded) == 1


def test_unknown_arguments_are_refused() -> None:
    message = r"Attention passes mystery, position_bias to its attention, which is not supported"
    with pytest.raises(UnsupportedModelError, match=message):
        call(mystery=torch.zeros(2), position_bias=torch.zeros(1))


def test_encoders_look_at_later_tokens_too(recorded: list[tuple[Any, ...]]) -> None:
    module = Attention()
    module.is_causal = False  # type: ignore[assignment]
    call(module)
    call(module, is_causal=True)  # what is said by the call counts more
    assert [settings[-1] for settings in recorded] == [False, True]


def test_sinks_reach_the_operator(recorded: list[tuple[Any, ...]]) -> None:
    sinks = torch.ones(2)
    call(s_aux=sinks)
    assert recorded[0][1] is sinks


@pytest.mark.parametrize(("depth", "own", "padded"), [(16, 16, 16), (6, 6, 8), (24, 16, 24)])
def test_heads_are_padded_to_one_depth_in_fours(
    depth: int, own: int, padded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Multi-head latent attention has values less deep than its keys."""
    seen: list[torch.Size] = []

    def record(query: torch.Tensor, key: Any, value: Any, *_: Any) -> torch.Tensor:
        seen.extend(x.shape for x in (query, key, value))
        return value.transpose(1, 2)

    monkeypatch.setattr(attention, "attention", record)
    query, value = torch.ones(1, 2, 5, depth), torch.rand(1, 2, 5, own)
    out = attention.attend(query, query, value, layer=0)
    assert seen == [(1, 2, 5, padded)] * 3
    torch.testing.assert_close(out, value.transpose(1, 2))


def test_explicit_mask_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="an explicit attention mask"):
        call(mask=torch.zeros(1, 1, 5, 5))


def test_causal_masks_decide_whatever_a_module_says(recorded: list[tuple[Any, ...]]) -> None:
    with masks.noted() as noted:
        noted.windows.add(0)
        call(is_causal=False)
    call(is_causal=False)
    assert [settings[-1] for settings in recorded] == [True, False]


def test_layers_are_numbered_by_what_the_cache_was_given(recorded: list[tuple[Any, ...]]) -> None:
    """A block that runs twice has two layers of the cache; a layer that reads another's keys again
    gives it none."""
    x, cache = torch.zeros(1, 2, 5, 16), CountingCache()
    cache.update(x, x, 7)
    call()
    call()
    call(Unnumbered())
    assert [settings[2] for settings in recorded] == [7, 3, -1]


def test_shape_of_the_result() -> None:
    with FakeTensorMode():
        query, key = torch.empty(1, 4, 5, 16), torch.empty(1, 2, 5, 16)
        value = torch.empty(1, 2, 5, 8)
        out = attention.attention(query, key, value, None, None, 0, 1.0, 0, 0.0, True)
    assert out.shape == (1, 5, 4, 8)
