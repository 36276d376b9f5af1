"""What recurrent models keep between tokens besides keys and values: convolutions' last inputs,
state-space and linear-attention states.

They are traced at one token, on a cache that hands the states out as tensors: their code then takes
the path it decodes by. A state is read through an operator of its own; the values it has afterwards
are results of the program, which the runtime keeps for the next token.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import Cache, DynamicCache
from transformers.cache_utils import LinearAttentionCacheLayerMixin

from compiler.errors import UnsupportedModelError
from compiler.graph.program import State
from compiler.trace.caches import StateCache, filled, in_layers, tensors

OP = "state.default"  # the name the importer looks converters up by
ARGUMENTS = ("past_key_values", "cache_params", "state")  # what models call their caches


@torch.library.custom_op("webkiln::state", mutates_args=())
def state(positions: torch.Tensor, name: str, shape: Sequence[int]) -> torch.Tensor:
    """The state `name` as the token before left it; `positions` says only where this is asked."""
    raise NotImplementedError("exists for tracing only")


@state.register_fake
def _(positions: torch.Tensor, name: str, shape: Sequence[int]) -> torch.Tensor:
    return positions.new_empty(list(shape), dtype=torch.float32)


def _read(each: State, positions: torch.Tensor) -> torch.Tensor:
    kept = state(positions, each.name, each.shape)
    later = (positions > 0).reshape([1] * len(each.shape))
    return torch.where(later, kept, torch.zeros(()))


@dataclass(frozen=True)
class Kept:
    """What a model holds after a token, besides keys and values."""

    argument: str | None  # what the model calls its cache
    cached: tuple[State, ...] = ()  # in the cache
    holder: Any = None  # the cache, where it is one of the model's own kind
    attributes: tuple[State, ...] = ()  # in modules, by the attribute's path
    layers: frozenset[int] = frozenset()  # with states, or with nothing that is kept

    @property
    def states(self) -> tuple[State, ...]:
        return self.cached + self.attributes


def run(
    model: transformers.PreTrainedModel, kept: Kept, positions: torch.Tensor, **inputs: Any
) -> tuple[torch.Tensor, ...]:
    """Logits, and what each state is afterwards."""
    read = {each.name: _read(each, positions) for each in kept.states}
    cache = StateCache(read) if kept.holder is None else filled(kept.holder, read)
    if kept.argument is not None:
        inputs[kept.argument] = cache
    with _attributes_set(model, {each.name: read[each.name] for each in kept.attributes}):
        logits = model(use_cache=kept.argument is not None, **inputs).logits
        held = cache.states if kept.holder is None else tensors(cache)
        after = {**held, **_attributes(model)}
    for each in kept.states:
        if after[each.name].shape != each.shape:
            raise UnsupportedModelError(
                f"{type(model).__name__} keeps {each.name}, which grows with every token: that is "
                "attention of its own, which is not supported yet"
            )
    return logits, *(after[each.name] for each in kept.states)


def kept(model: transformers.PreTrainedModel) -> Kept:
    """Finds it out by a run on shapes alone, of models that say they have a state."""
    taken = inspect.signature(model.forward).parameters
    argument = next((name for name in ARGUMENTS if name in taken), None)
    if argument is None or not (_has_state(model.config) or model._is_stateful):
        return Kept(argument)
    before = [(module, dict(vars(module))) for module in model.modules()]
    known = _attributes(model)
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
            made = model(input_ids=torch.zeros(1, 1, dtype=torch.int64), use_cache=True)
    except UnsupportedModelError:
        raise
    except Exception as error:  # whatever a model's own code raises
        raise UnsupportedModelError(
            f"{type(model).__name__} does not run on shapes alone: {error}"
        ) from error
    held = {n: x for n, x in _attributes(model).items() if x is not known.get(n)}
    for module, attributes in before:  # whatever it notes there of having run
        vars(module).clear()
        vars(module).update(attributes)
    numbers = {int(number.group(1)) for name in held if (number := _LAYER.search(name))}
    states = tuple(State(name, tuple(value.shape)) for name, value in held.items())
    cached, holder, layers = _cached(getattr(made, argument, None), model.config)
    return Kept(argument, cached, holder, states, frozenset(layers | numbers))


def _has_state(config: transformers.PretrainedConfig) -> bool:
    try:
        layers = DynamicCache(config=config).layers
    except AttributeError as error:
        raise UnsupportedModelError(
            f"the configuration of model type {config.model_type!r} does not describe the layers "
            f"of a cache: {error}"
        ) from error
    return any(isinstance(layer, LinearAttentionCacheLayerMixin) for layer in layers)


def _cached(
    cache: Any, config: transformers.PretrainedConfig
) -> tuple[tuple[State, ...], Any, set[int]]:
    """The states of a cache; itself, if it is of a kind of its own; layers with a state or with
    nothing that is kept."""
    if cache is None:
        return (), None, set()
    if type(cache) is DynamicCache:
        states, layers = in_layers(cache)
        return tuple(states), None, layers
    found = tuple(State(name, tuple(value.shape)) for name, value in tensors(cache).items())
    if not isinstance(cache, Cache):  # all that the model keeps
        return found, cache, set(range(config.num_hidden_layers))
    return found, cache, {int(state.name.rpartition(".")[2]) for state in found}


@contextmanager
def _attributes_set(model: torch.nn.Module, values: Mapping[str, torch.Tensor]) -> Iterator[None]:
    places = {name: _place(model, name) for name in values}
    before = {name: getattr(*place) for name, place in places.items()}
    for name, value in values.items():
        setattr(*places[name], value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(*places[name], value)


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
