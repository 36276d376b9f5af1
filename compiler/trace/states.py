"""What recurrent models keep between tokens besides keys and values: convolutions' last inputs,
state-space and linear-attention states.

They are traced at one token, on a cache that hands the states out as tensors: their code then takes
the path it decodes by. A state is read through an operator of its own; the values it has afterwards
are results of the program, which the runtime keeps for the next token.
"""

from __future__ import annotations

import inspect
import re
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
    """What a model holds after a token, besides keys and values."""

    argument: str | None  # what the model calls its cache
    cached: tuple[State, ...] = ()  # in the cache
    attributes: tuple[State, ...] = ()  # in modules, by the attribute's path
    layers: frozenset[int] = frozenset()  # with states, or with nothing that is kept

    @property
    def states(self) -> tuple[State, ...]:
        return self.cached + self.attributes


def run(
    model: transformers.PreTrainedModel, kept: Kept, positions: torch.Tensor, **inputs: Any
) -> tuple[torch.Tensor, ...]:
    """Logits, and what each state is afterwards."""
    cache = StateCache(kept.cached, positions)
    if kept.argument is not None:
        inputs[kept.argument] = cache
    places = [_place(model, each.name) for each in kept.attributes]
    before = [getattr(*place) for place in places]
    for place, each in zip(places, kept.attributes, strict=True):
        setattr(*place, _read(each, positions))
    try:
        logits = model(use_cache=kept.argument is not None, **inputs).logits
        return logits, *cache.values.values(), *(getattr(*place) for place in places)
    finally:
        for place, value in zip(places, before, strict=True):
            setattr(*place, value)


def kept(model: transformers.PreTrainedModel) -> Kept:
    """Finds it out by a run on shapes alone, of models that say they have a state."""
    taken = inspect.signature(model.forward).parameters
    argument = next((name for name in ("past_key_values", "cache_params") if name in taken), None)
    if argument is None or not (_has_state(model.config) or model._is_stateful):
        return Kept(argument)
    cache = DynamicCache(config=model.config)
    before = _attributes(model)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        ids = torch.zeros(1, 1, dtype=torch.int64)
        model(input_ids=ids, use_cache=True, **{argument: cache})
    found = [name for name, value in _attributes(model).items() if value is not before.get(name)]
    attributes = [State(name, tuple(getattr(*_place(model, name)).shape)) for name in found]
    for name in found:
        setattr(*_place(model, name), before.get(name))
    cached, layers = _cached(cache)
    layers |= {int(number.group(1)) for name in found if (number := _LAYER.search(name))}
    return Kept(argument, tuple(cached), tuple(attributes), frozenset(layers))


def _has_state(config: transformers.PretrainedConfig) -> bool:
    layers = DynamicCache(config=config).layers
    return any(isinstance(layer, LinearAttentionCacheLayerMixin) for layer in layers)


def _cached(cache: DynamicCache) -> tuple[list[State], set[int]]:
    """The states in a cache, and the layers that have some, or nothing at all."""
    states, layers = [], set()
    for number, layer in enumerate(cache.layers):
        if isinstance(layer, LinearAttentionCacheLayerMixin):
            states += _held(number, "conv", layer.conv_states)
            states += _held(number, "recurrent", layer.recurrent_states)
        if isinstance(layer, LinearAttentionCacheLayerMixin | DummyLayer):
            layers.add(number)
    return states, layers


def _held(number: int, kind: str, values: dict[int, torch.Tensor | None]) -> list[State]:
    held = [(index, value) for index, value in values.items() if value is not None]
    return [State(_name(number, kind, index), tuple(value.shape)) for index, value in held]


def _attributes(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Tensors that modules hold as plain attributes, by path."""
    return {
        f"{path}.{name}": value
        for path, module in model.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, torch.Tensor)
    }


def _place(model: torch.nn.Module, name: str) -> tuple[torch.nn.Module, str]:
    path, _, attribute = name.rpartition(".")
    return model.get_submodule(path), attribute


_LAYER = re.compile(r"\.(\d+)\.")
