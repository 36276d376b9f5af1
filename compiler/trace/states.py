"""What recurrent models keep between tokens besides keys and values: convolutions' last inputs,
state-space and linear-attention states.

They are traced at one token, on a cache that hands the states out as tensors: their code then takes
the path it decodes by. A state is read through an operator of its own; the values it has afterwards
are results of the program, which the runtime keeps for the next token.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import DynamicCache
from transformers.cache_utils import DummyLayer, LinearAttentionCacheLayerMixin

from compiler.graph.program import State
from compiler.trace.positions import CountingCache

OP = "state.default"  # the name the importer looks converters up by
KINDS = ("conv", "recurrent")


@torch.library.custom_op("webkiln::state", mutates_args=())
def state(positions: torch.Tensor, name: str, shape: Sequence[int]) -> torch.Tensor:
    """The state `name` as the token before left it; `positions` says only where this is asked."""
    raise NotImplementedError("exists for tracing only")


@state.register_fake
def _(positions: torch.Tensor, name: str, shape: Sequence[int]) -> torch.Tensor:
    return positions.new_empty(list(shape), dtype=torch.float32)


class StateCache(CountingCache):
    """A cache with `states`, zeros before the first token."""

    def __init__(self, states: Sequence[State], positions: torch.Tensor) -> None:
        super().__init__()
        self.values = {each.name: _read(each, positions) for each in states}

    def get_conv_state(self, layer_idx: int, state_idx: int = 0) -> torch.Tensor:
        return self.values[_name(layer_idx, "conv", state_idx)]

    def get_recurrent_state(self, layer_idx: int, state_idx: int = 0) -> torch.Tensor:
        return self.values[_name(layer_idx, "recurrent", state_idx)]

    def update_conv_state(
        self, conv_states: torch.Tensor, layer_idx: int, state_idx: int = 0, **_: Any
    ) -> torch.Tensor:
        name = _name(layer_idx, "conv", state_idx)
        whole = torch.cat([self.values[name], conv_states], dim=-1)
        self.values[name] = whole[..., -self.values[name].shape[-1] :]
        return whole

    def update_recurrent_state(
        self, recurrent_states: torch.Tensor, layer_idx: int, state_idx: int = 0, **_: Any
    ) -> torch.Tensor:
        self.values[_name(layer_idx, "recurrent", state_idx)] = recurrent_states
        return recurrent_states

    def has_previous_state(self, *_: Any, **__: Any) -> bool:
        return True

    def is_recording_past(self, *_: Any, **__: Any) -> bool:
        return False


def _read(each: State, positions: torch.Tensor) -> torch.Tensor:
    kept = state(positions, each.name, each.shape)
    later = (positions > 0).reshape([1] * len(each.shape))
    return torch.where(later, kept, torch.zeros(()))


def _name(layer: int, kind: str, index: int) -> str:
    return f"{kind}.{layer}.{index}"


@dataclass(frozen=True)
class Kept:
    """What a model's cache holds after a token."""

    argument: str | None  # what the model calls its cache
    states: tuple[State, ...] = ()
    layers: frozenset[int] = frozenset()  # with states, or with nothing that is kept


def kept(model: transformers.PreTrainedModel) -> Kept:
    """Finds it out by a run on shapes alone, of models that say they have a state."""
    taken = inspect.signature(model.forward).parameters
    argument = next((name for name in ("past_key_values", "cache_params") if name in taken), None)
    if argument is None or not _has_state(model.config):
        return Kept(argument)
    cache = DynamicCache(config=model.config)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        ids = torch.zeros(1, 1, dtype=torch.int64)
        model(input_ids=ids, use_cache=True, **{argument: cache})
    states, layers = [], set()
    for number, layer in enumerate(cache.layers):
        if isinstance(layer, LinearAttentionCacheLayerMixin):
            states += _states(number, layer)
        if isinstance(layer, LinearAttentionCacheLayerMixin | DummyLayer):
            layers.add(number)
    return Kept(argument, tuple(states), frozenset(layers))


def _has_state(config: transformers.PretrainedConfig) -> bool:
    layers = DynamicCache(config=config).layers
    return any(isinstance(layer, LinearAttentionCacheLayerMixin) for layer in layers)


def _states(number: int, layer: LinearAttentionCacheLayerMixin) -> list[State]:
    found = []
    for kind, values in zip(KINDS, (layer.conv_states, layer.recurrent_states), strict=True):
        for index, value in values.items():
            if value is not None:
                found.append(State(_name(number, kind, index), tuple(value.shape)))
    return found
