"""The transformers model, built from its configuration without reading or touching any weight."""

from __future__ import annotations

import copy
import inspect
import logging
import mmap
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from torch.overrides import TorchFunctionMode

from compiler.errors import UnsupportedModelError
from compiler.trace import attention, experts, legacy, masks, softmax
from compiler.trace.positions import count_from_input, skipped
from compiler.trace.states import Kept, run

LARGE = 1 << 30  # bytes of a tensor
_MAP_NORESERVE = 0x4000  # Linux's; Python's `mmap` does not name it before 3.13


def build_model(
    config: transformers.PretrainedConfig,
    auto: Any = transformers.AutoModelForCausalLM,
    *,
    plain: bool = False,
) -> transformers.PreTrainedModel:
    """The model of `config`, by default its causal LM: parameters are reserved but never written,
    buffers are real. `plain`: with its own attention code, which then needs masks.

    Raises UnsupportedModelError where transformers has no such model for the configuration.
    """
    attention.register()
    experts.register()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    try:
        model = _reserved(config, auto, plain)
        for module in model.modules():
            for name, parameter in module.named_parameters(recurse=False):
                reserved = torch.nn.Parameter(_address_space(parameter), requires_grad=False)
                setattr(module, name, reserved)
    except Exception as error:  # whatever a model's own constructor raises, or no address space
        raise UnsupportedModelError(
            f"model type {config.model_type!r} cannot be built by {auto.__name__} on "
            f"transformers' attention interface: {type(error).__name__}: {error}"
        ) from error
    model.tie_weights()
    legacy.install(model)
    return model.eval()


def _address_space(parameter: torch.Tensor) -> torch.Tensor:
    """A tensor like it, never written, even where it is larger than the machine's memory: Linux
    hands out as much only to who says that it is not meant to be used."""
    try:
        return torch.empty_like(parameter, device="cpu")
    except RuntimeError:
        if sys.platform != "linux":
            raise
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
    memory = mmap.mmap(-1, parameter.nbytes, flags=flags)
    return torch.frombuffer(memory, dtype=parameter.dtype).view(parameter.shape)


def _reserved(
    config: transformers.PretrainedConfig, auto: Any, plain: bool
) -> transformers.PreTrainedModel:
    """The model without its parameters. Older ones look their attention class up by name, and have
    none for ours: legacy.py adapts their plain one."""
    for name in ("eager",) if plain else (attention.IMPLEMENTATION, "eager"):
        try:
            with _parameters_on_meta(), _LargeOnMeta():
                return model_of(
                    config,
                    auto,
                    attn_implementation=name,
                    experts_implementation=experts.IMPLEMENTATION,
                    dtype=torch.float32,
                )
        except KeyError as error:
            if error.args != (attention.IMPLEMENTATION,):
                raise
    raise AssertionError("transformers has no plain attention")


def model_of(
    config: transformers.PretrainedConfig, auto: Any, **settings: Any
) -> transformers.PreTrainedModel:
    """What `auto` makes of a configuration, or the class that it names, if it is of the text part
    of a model that `auto` knows as a whole alone. Where the towers for images or sounds need
    packages that are not there, the text part, which is all that is wanted."""
    kind = auto if type(config) in auto._model_mapping else _named(config) or auto
    try:
        return _from(kind, config, settings)
    except ImportError:
        if (text := config.get_text_config()) is config:
            raise
        return _from(auto, text, settings)


def _from(
    kind: Any, config: transformers.PretrainedConfig, settings: Mapping[str, Any]
) -> transformers.PreTrainedModel:
    make = getattr(kind, "from_config", None) or kind._from_config
    # It notes the settings in the configuration.
    return make(copy.deepcopy(config), **settings)


def _named(config: transformers.PretrainedConfig) -> Any:
    kinds = [getattr(transformers, str(name), None) for name in config.architectures or []]
    models = [
        k for k in kinds if isinstance(k, type) and issubclass(k, transformers.PreTrainedModel)
    ]
    return models[0] if models else None


@contextmanager
def _parameters_on_meta() -> Iterator[None]:
    """Moves each parameter to the meta device as it is registered, before it is initialised.

    Buffers (rotary frequencies, embedding scales) are computed for real, which building the whole
    model on the meta device would not do.
    """
    register = torch.nn.Module.register_parameter

    def register_meta(
        self: torch.nn.Module, name: str, parameter: torch.nn.Parameter | None
    ) -> None:
        if parameter is not None:
            parameter = torch.nn.Parameter(parameter.to("meta"), requires_grad=False)
        register(self, name, parameter)

    torch.nn.Module.register_parameter = register_meta  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        torch.nn.Module.register_parameter = register  # type: ignore[method-assign]


class _LargeOnMeta(TorchFunctionMode):
    """Makes tensors that no machine need have the memory for on the meta device to begin with:
    stacked experts, before they are registered. Nothing but parameters is as large."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        settings = dict(kwargs or {})
        if (
            func is torch.empty
            and torch.empty(*args, **(settings | {"device": "meta"})).nbytes > LARGE
        ):
            settings["device"] = "meta"
        return func(*args, **settings)


def tied_names(model: torch.nn.Module) -> dict[str, list[str]]:
    """Every parameter or buffer name to all names of the same tensor, itself first."""
    groups: dict[int, list[str]] = {}
    named: list[tuple[str, torch.Tensor]] = [*model.named_parameters(remove_duplicate=False)]
    named += model.named_buffers(remove_duplicate=False)
    for name, tensor in named:
        groups.setdefault(id(tensor), []).append(name)
    return {n: [n, *(o for o in names if o != n)] for names in groups.values() for n in names}


def export(
    model: transformers.PreTrainedModel, rows: int, kept: Kept
) -> torch.export.ExportedProgram:
    """Exports `ids (1, rows) i32, positions (1, rows) i32 -> logits (1, rows, vocabulary)` and the
    new value of each state that is kept."""
    ids = torch.zeros(1, rows, dtype=torch.int32)
    with warnings.catch_warnings(), torch.no_grad(), masks.noted() as made:
        warnings.simplefilter("ignore")
        exported = torch.export.export(_Logits(model, kept), (ids, ids.clone()), strict=False)
    count_from_input(exported, rows)
    softmax.recognise(exported, made, rows)
    return exported


class _Logits(torch.nn.Module):
    """Narrows a causal LM to the two inputs that change and the output that is used."""

    def __init__(self, model: transformers.PreTrainedModel, kept: Kept) -> None:
        super().__init__()
        self.model, self.kept = model, kept

    def forward(self, ids: torch.Tensor, positions: torch.Tensor) -> tuple[torch.Tensor, ...]:
        taken = inspect.signature(self.model.forward).parameters
        told = "position_ids" in taken and not skipped(self.model)
        given = {"position_ids": positions} if told else {}
        return run(self.model, self.kept, positions, input_ids=ids, **given)
