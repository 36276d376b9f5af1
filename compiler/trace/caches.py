"""Caches that hand out states as tensors of a trace: transformers' kind, and those of models that
keep theirs in objects of their own."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from transformers import Cache, DynamicCache
from transformers.cache_utils import DummyLayer, LinearAttentionCacheLayerMixin

from compiler.graph.program import State
from compiler.trace.positions import CountingCache


class StateCache(CountingCache):
    """Transformers' cache of convolutional and recurrent states, by `state_name`."""

    def __init__(self, states: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self.states = dict(states)

    def get_conv_state(self, layer_idx: int, state_idx: int = 0) -> torch.Tensor:
        return self.states[state_name(layer_idx, "conv", state_idx)]

    def get_recurrent_state(self, layer_idx: int, state_idx: int = 0) -> torch.Tensor:
        return self.states[state_name(layer_idx, "recurrent", state_idx)]

    def update_conv_state(
        self, conv_states: torch.Tensor, layer_idx: int, state_idx: int = 0, **_: Any
    ) -> torch.Tensor:
        name = state_name(layer_idx, "conv", state_idx)
        whole = torch.cat([self.states[name], conv_states], dim=-1)
        self.states[name] = whole[..., -self.states[name].shape[-1] :]
        return whole

    def update_recurrent_state(
        self, recurrent_states: torch.Tensor, layer_idx: int, state_idx: int = 0, **_: Any
    ) -> torch.Tensor:
        self.states[state_name(layer_idx, "recurrent", state_idx)] = recurrent_states
        return recurrent_states

    def has_previous_state(self, *_: Any, **__: Any) -> bool:
        return True

    def is_recording_past(self, *_: Any, **__: Any) -> bool:
        return False


def state_name(layer: int, kind: str, index: int) -> str:
    return f"{kind}.{layer}.{index}"


def in_layers(cache: DynamicCache) -> tuple[list[State], set[int]]:
    """The states of a cache, and the layers that have some, or nothing at all."""
    states, layers = [], set()
    for number, layer in enumerate(cache.layers):
        if isinstance(layer, LinearAttentionCacheLayerMixin):
            states += _held(number, "conv", layer.conv_states)
            states += _held(number, "recurrent", layer.recurrent_states)
        if isinstance(layer, LinearAttentionCacheLayerMixin | DummyLayer):
            layers.add(number)
    return states, layers


def _held(number: int, kind: str, values: Mapping[int, torch.Tensor | None]) -> list[State]:
    held = [(index, value) for index, value in values.items() if value is not None]
    return [State(state_name(number, kind, i), tuple(value.shape)) for i, value in held]


def tensors(held: object, path: str = "cache") -> dict[str, torch.Tensor]:
    """Those in lists, tuples and dictionaries of an object, by path; keys and values excepted."""
    if isinstance(held, torch.Tensor):
        return {path: held}
    found: dict[str, torch.Tensor] = {}
    for key, value in _items(held):
        found |= tensors(value, f"{path}.{key}")
    return found


def filled(held: Any, values: Mapping[str, torch.Tensor], path: str = "cache") -> Any:
    """A copy of `held` with other tensors in their places."""
    if isinstance(held, torch.Tensor):
        return values[path]
    made = {key: filled(value, values, f"{path}.{key}") for key, value in _items(held)}
    if isinstance(held, list | tuple):
        return type(held)(made.get(index, value) for index, value in enumerate(held))
    if isinstance(held, dict):
        return held | made
    new = copy.copy(held)
    vars(new).update(made)
    if isinstance(held, Cache):
        new.__class__ = type(type(held).__name__, (CountingCache, type(held)), {})
    return new


def _items(held: Any) -> list[tuple[Any, Any]]:
    """Tensors, and what may hold some."""
    listed = isinstance(held, list | tuple)
    items = enumerate(held) if listed else (held if isinstance(held, dict) else vars(held)).items()
    kinds = (torch.Tensor, list, tuple, dict)
    return [(key, value) for key, value in items if isinstance(value, kinds)]
