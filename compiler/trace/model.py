"""The transformers model, built from its configuration without reading or touching any weight."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import transformers

from compiler.errors import UnsupportedModelError
from compiler.trace import attention


def build_model(config: transformers.PretrainedConfig) -> transformers.PreTrainedModel:
    """The causal LM of `config`: parameters are reserved but never written, buffers are real.

    Raises UnsupportedModelError where transformers has no causal LM for the configuration.
    """
    attention.register()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    config = copy.deepcopy(config)  # from_config notes the attention implementation in it
    config.use_cache = False
    try:
        with _parameters_on_meta():
            model = transformers.AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
                config, attn_implementation=attention.IMPLEMENTATION, dtype=torch.float32
            )
    except Exception as error:  # whatever a model's own constructor raises
        raise UnsupportedModelError(
            f"model type {config.model_type!r} cannot be built as a causal language model on "
            f"transformers' attention interface: {type(error).__name__}: {error}"
        ) from error
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            reserved = torch.empty_like(parameter, device="cpu")  # address space, never written
            setattr(module, name, torch.nn.Parameter(reserved, requires_grad=False))
    model.tie_weights()
    return model.eval()  # type: ignore[no-any-return]


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


def tied_names(model: torch.nn.Module) -> dict[str, list[str]]:
    """Every parameter or buffer name to all names of the same tensor, itself first."""
    groups: dict[int, list[str]] = {}
    named: list[tuple[str, torch.Tensor]] = [*model.named_parameters(remove_duplicate=False)]
    named += model.named_buffers(remove_duplicate=False)
    for name, tensor in named:
        groups.setdefault(id(tensor), []).append(name)
    return {n: [n, *(o for o in names if o != n)] for names in groups.values() for n in names}


def export(model: transformers.PreTrainedModel, rows: int) -> torch.export.ExportedProgram:
    """Exports `ids (1, rows) i32, positions (1, rows) i32 -> logits (1, rows, vocabulary)`."""
    ids = torch.zeros(1, rows, dtype=torch.int32)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return torch.export.export(_Logits(model), (ids, ids.clone()), strict=False)


class _Logits(torch.nn.Module):
    """Narrows a causal LM to the two inputs that change and the output that is used."""

    def __init__(self, model: transformers.PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(
            input_ids=ids, position_ids=positions, use_cache=False
        ).logits
        return logits
