"""The function `embed`: the tokens of a text, all at once, to its vector.

What sentence-transformers does after the model, pooling and normalisation, is traced with it.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
import transformers
from torch.nn.functional import normalize, pad

from compiler.errors import UnsupportedModelError
from compiler.graph import ops
from compiler.graph.program import Program
from compiler.trace import masks
from compiler.trace.importer import import_program

LOWEST = -3.4e38  # below every value of a vector


@dataclass(frozen=True)
class Pooling:
    """How the tokens' vectors become one: the results of `modes`, one after the other."""

    modes: tuple[str, ...]  # keys of POOLINGS
    normalised: bool


def trace_embedding(model: transformers.PreTrainedModel, pooling: Pooling, rows: int) -> Program:
    """The Relax program of up to `rows` tokens: `main(ids, real, weights...) -> (vector,)`, where
    `real` is 1 for tokens and 0 for padding.

    Raises UnsupportedModelError naming the construct that torch or TVM cannot translate.
    """
    _number_layers(model)
    ids = torch.zeros(1, rows, dtype=torch.int32)
    try:
        with warnings.catch_warnings(), torch.no_grad(), masks.noted():
            warnings.simplefilter("ignore")
            exported = torch.export.export(_Embedding(model, pooling), (ids, ids + 1), strict=False)
    except UnsupportedModelError:
        raise
    except Exception as error:  # torch.export raises many kinds, all about the model's code
        raise UnsupportedModelError(f"torch.export cannot trace this model: {error}") from error
    return import_program(exported)


def attends(program: Program) -> int:
    """How often the attention operator occurs in it."""
    return len(ops.calls(program.module, "webkiln.attention"))


def _number_layers(model: torch.nn.Module) -> None:
    """Encoders keep no cache, so that many do not tell their attention modules which one it is."""
    modules = [m for m in model.modules() if hasattr(m, "is_causal")]
    for index, module in enumerate(modules):
        if getattr(module, "layer_idx", None) is None:
            module.layer_idx = index  # type: ignore[assignment]


class _Embedding(torch.nn.Module):
    """A base model, pooling and normalisation: ids, real (1, rows) -> (1, dimensions)."""

    def __init__(self, model: transformers.PreTrainedModel, pooling: Pooling) -> None:
        super().__init__()
        self.model, self.pooling = model, pooling

    def forward(self, ids: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        taken = inspect.signature(self.model.forward).parameters
        given = {"use_cache": False} if "use_cache" in taken else {}
        hidden = self.model(input_ids=ids, attention_mask=real, **given).last_hidden_state
        rows = real.unsqueeze(-1)
        pooled = torch.cat([POOLINGS[mode](hidden, rows) for mode in self.pooling.modes], dim=-1)
        return normalize(pooled, dim=-1) if self.pooling.normalised else pooled


# Each: hidden (1, rows, K), real (1, rows, 1) -> (1, K). What is in padding rows may be anything,
# NaN too: it is replaced rather than multiplied by zero.


def _first(hidden: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    return hidden[:, 0]


def _last(hidden: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    after = pad(real[:, 1:], (0, 0, 0, 1))
    return _sum(hidden, real - after)


def _max(hidden: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    return hidden.masked_fill(real == 0, LOWEST).amax(1)


def _sum(hidden: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    return hidden.masked_fill(real == 0, 0.0).sum(1)


def _mean(hidden: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    return _sum(hidden, real) / real.float().sum(1)


def _mean_sqrt_len(hidden: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    return _sum(hidden, real) / real.float().sum(1).sqrt()


def _weighted_mean(hidden: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    weights = torch.arange(1, hidden.shape[1] + 1, dtype=torch.float32).reshape(1, -1, 1)
    return _sum(hidden * weights, real) / (weights * real).sum(1)


# In the order in which sentence-transformers puts their results.
POOLINGS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cls": _first,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len": _mean_sqrt_len,
    "weighted_mean": _weighted_mean,
    "last": _last,
}
