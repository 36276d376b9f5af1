"""MLC's names of a model's parameters, most of which are transformers' own.

What MLC fuses (query, key and value; gate and up) is found among the model's parameters by place
and shape: rows of what is stored are the rows of what has no stored tensor of its own name.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import transformers

from compiler.errors import CheckpointError, UnsupportedModelError

Shape = tuple[int, ...]

# The parts of fused layers, as they lie on top of each other.
PARTS = ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj")


@dataclass(frozen=True)
class Place:
    """Rows of a stored tensor, by its name without what quantization adds."""

    stored: str
    start: int
    rows: int


def places(model: transformers.PreTrainedModel, stored: Mapping[str, int]) -> dict[str, Place]:
    """Where each parameter of `model` lies, given the rows of every stored tensor.

    Raises CheckpointError for missing parameters, UnsupportedModelError for stored tensors that
    are none of the model's.
    """
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    found = {n: Place(n, 0, shape[0]) for n, shape in shapes.items() if n in stored}
    for name in stored.keys() - shapes.keys():
        found |= _parts(name, stored[name], shapes, found)
    missing = [name for name in shapes if name not in found]
    if missing:
        raise CheckpointError(f"the weights lack {missing[0]}: get them again, or another model")
    return found


def _parts(
    name: str, rows: int, shapes: Mapping[str, Shape], found: Mapping[str, Place]
) -> dict[str, Place]:
    """The parameters that a fused tensor is made of."""
    module, _, kind = name.rpartition(".")
    parent = module.rpartition(".")[0]
    candidates = [f"{parent}.{part}.{kind}" for part in PARTS]
    parts = [part for part in candidates if part in shapes and part not in found]
    if not parts or sum(shapes[part][0] for part in parts) != rows:
        raise UnsupportedModelError(
            f"{name} with {rows} rows is no parameter of transformers' model, nor what MLC fuses: "
            "compile the model's Hugging Face checkpoint instead"
        )
    out, start = {}, 0
    for part in parts:
        out[part] = Place(name, start, shapes[part][0])
        start += shapes[part][0]
    return out


def offset_norms(model: transformers.PreTrainedModel) -> set[str]:
    """Weights of norms that multiply with 1 + weight, of which MLC stores the sum.

    Found by asking one norm of each class what weights of zero make of ones.
    """
    answers: dict[type, bool] = {}
    names = set()
    for name, module in model.named_modules():
        own = dict(module.named_parameters())
        if list(own) == ["weight"] and own["weight"].ndim == 1:
            kind = type(module)
            if kind not in answers:
                answers[kind] = _adds_one(module)
            if answers[kind]:
                names.add(f"{name}.weight")
    return names


def _adds_one(norm: torch.nn.Module) -> bool:
    probe = copy.deepcopy(norm).to_empty(device="cpu")
    weight = probe.get_parameter("weight")
    with torch.no_grad():
        weight.zero_()
        try:
            answer = probe(torch.ones(1, *weight.shape))
        except TypeError:  # a norm of more than one input is none of those
            return False
    return bool(answer.any())
