"""The program the graph passes transform: a Relax module and where its weights come from.

A weight is a `Recipe`: an expression over checkpoint tensors that is evaluated when the bundle is
written, one weight at a time, so that no pass ever holds weight data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import tvm


@dataclass(frozen=True)
class Source:
    """A tensor of the checkpoint, by its transformers name."""

    name: str


@dataclass(frozen=True)
class Transposed:
    """(..., a, b) -> (..., b, a): GPT-2 keeps its projections as (inputs, outputs)."""

    of: Recipe


@dataclass(frozen=True)
class Stacked:
    """(E, N, K) -> (E N, K): the matrices of experts on top of each other."""

    of: Recipe


@dataclass(frozen=True)
class Rows:
    """Concatenation along the first axis: Q, K and V of a layer, or gate and up."""

    of: tuple[Recipe, ...]


@dataclass(frozen=True)
class Sorted:
    """(N, K) with its inputs in the order of the checkpoint's codes."""

    of: Source


@dataclass(frozen=True)
class Elementwise:
    """An arithmetic expression over one recipe and a constant, such as Gemma's 1 + weight."""

    op: str  # a key of ARITHMETIC
    of: Recipe
    constant: float


Recipe: TypeAlias = Source | Transposed | Stacked | Rows | Sorted | Elementwise

ARITHMETIC: Mapping[str, Callable[[np.ndarray, np.float32], np.ndarray]] = {
    "relax.add": np.add,
    "relax.subtract": np.subtract,
    "relax.multiply": np.multiply,
    "relax.divide": np.divide,
}


@dataclass(frozen=True)
class State:
    """A tensor kept from one token to the next, f32."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """`main(ids, positions, weights...)`, the recipe of each weight, by parameter name, and the
    states whose new values are its last results."""

    module: tvm.IRModule
    weights: dict[str, Recipe] = field(default_factory=dict)
    states: tuple[State, ...] = ()


def sources(recipe: Recipe) -> list[str]:
    """Names of the checkpoint tensors a recipe reads, in order."""
    match recipe:
        case Source(name):
            return [name]
        case Rows(parts):
            return [name for part in parts for name in sources(part)]
        case Transposed(of) | Stacked(of) | Sorted(of) | Elementwise(_, of, _):
            return sources(of)
