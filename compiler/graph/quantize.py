"""How each weight is coded: decided before lowering, carried out when weights are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from compiler.bundle.schema import Scheme
from compiler.checkpoint.base import Checkpoint
from compiler.errors import CheckpointError, UsageError
from compiler.graph.program import (
    ARITHMETIC,
    Elementwise,
    Recipe,
    Rows,
    Source,
    Stacked,
    Transposed,
    sources,
)
from compiler.quantize import schemes
from compiler.quantize.schemes import Quantized

Array = npt.NDArray[np.float32]

KEEP = "keep"
SCHEMES = {
    "q4": schemes.Q4_MIN,
    "q8": schemes.Q8,
    "f16": schemes.F16,
    "f32": schemes.F32,
}
# Stored types of GGUF files to what they become under `keep`. Types we have no kernels for are
# coded anew at the nearest precision that does not lose theirs by much.
NATIVE = {
    "Q4_0": schemes.Q4,
    "Q4_1": schemes.Q4_MIN,
    "Q8_0": schemes.Q8,
    "IQ4_NL": schemes.Q8,
    "MXFP4": schemes.Q8,
    "Q2_K": schemes.Q4_MIN,
    "Q3_K": schemes.Q4_MIN,
    "Q4_K": schemes.Q4_MIN,
    "IQ4_XS": schemes.Q8,
    "Q5_0": schemes.Q8,
    "Q5_1": schemes.Q8,
    "Q5_K": schemes.Q8,
    "Q6_K": schemes.Q8,
    "F16": schemes.F16,
    "BF16": schemes.F16,
    "F32": schemes.F32,
}
EXACT = {"Q4_0", "Q4_1", "Q8_0", "IQ4_NL", "MXFP4", "F16", "F32"}  # kept value for value


@dataclass(frozen=True)
class Coding:
    """The scheme of every matrix, from what the checkpoint stores and what the user asked for."""

    checkpoint: Checkpoint
    names: dict[str, list[str]]  # names of tied parameters, from trace.model.tied_names
    quantization: str  # a key of SCHEMES, or KEEP
    prefix: str = ""  # transformers' base_model_prefix, such as "model"
    # What stacked experts are made of, for those that are stored apart.
    pieces: Callable[[str], list[str]] = lambda name: [name]
    # Matrices whose codes were not carried over, known once `matrix` has been asked for them.
    anew: set[Recipe] = field(default_factory=set)

    def scheme(self, recipe: Recipe, columns: int) -> Scheme:
        """The scheme of a matrix whose rows have `columns` values."""
        if self.quantization != KEEP:
            return schemes.fallback(SCHEMES[self.quantization], columns)
        kinds = [self._native(name) for name in sources(recipe)]
        most_precise = max(kinds, key=lambda scheme: (scheme.bits, scheme.has_minimum))
        return schemes.fallback(most_precise, columns)

    def same(self, recipes: Sequence[Recipe]) -> bool:
        """Whether matrices can be stacked without coding any of them anew."""
        if self.quantization != KEEP:
            return True
        return len({self.stored(name) for recipe in recipes for name in sources(recipe)}) == 1

    def stored(self, name: str) -> str:
        return self.checkpoint.info(self.resolve(name)).stored

    def resolve(self, name: str) -> str:
        """The checkpoint's name of a parameter, which may be stored under a tied one.

        Raises CheckpointError when no name of it is there.
        """
        known = self._known()
        for candidate in self.names.get(name, [name]):
            # A base model saved by itself lacks the prefix that its causal LM adds.
            for stored in (candidate, candidate.removeprefix(f"{self.prefix}.")):
                if stored in known:
                    return stored
        raise CheckpointError(
            f"{self.checkpoint.label} holds no tensor {name!r}; the file may be incomplete, or "
            "of a newer version of this architecture"
        )

    def _native(self, name: str) -> Scheme:
        stored = self.stored(name)
        if stored not in NATIVE:
            raise UsageError(
                f"{name} is stored as {stored}, which cannot be kept; choose --quantization q4, "
                "q8, f16 or f32"
            )
        return NATIVE[stored]

    def _known(self) -> set[str]:
        return set(self.checkpoint.names())

    def recoded(self, recipe: Recipe) -> bool:
        """Whether `keep` could not keep this matrix's codes as they were."""
        stored = {self.stored(name) for name in sources(recipe)}
        stacked = isinstance(recipe, Source | Rows)  # the others are computed from decoded values
        coded = any(NATIVE[kind].group for kind in stored & EXACT)
        return not stored <= EXACT or (coded and (not stacked or recipe in self.anew))

    def matrix(self, recipe: Recipe, scheme: Scheme) -> Quantized:
        """The weight (N, K) in `scheme`, its stored codes carried over where they can be."""
        carried = self._carried(recipe, scheme)
        if carried is not None:
            return carried
        pieces = self._pieces(recipe)
        if len(pieces) > 1:
            return schemes.concat_rows([self._piece(name, recipe, scheme) for name in pieces])
        self.anew.add(recipe)
        return schemes.quantize(self.values(recipe), scheme, " + ".join(sources(recipe)))

    def _pieces(self, recipe: Recipe) -> list[str]:
        """Stored tensors that stacked experts are made of."""
        match recipe:
            case Stacked(Source(name)):
                return self.pieces(self.resolve(name))
            case _:
                return []

    def _piece(self, name: str, recipe: Recipe, scheme: Scheme) -> Quantized:
        codes = self.checkpoint.quantized(name)
        if codes is not None and codes.scheme == scheme:
            return codes
        self.anew.add(recipe)
        return schemes.quantize(self.checkpoint.load(name), scheme, name)

    def _carried(self, recipe: Recipe, scheme: Scheme) -> Quantized | None:
        if isinstance(recipe, Source):
            codes = self.checkpoint.quantized(self.resolve(recipe.name))
            return codes if codes is not None and codes.scheme == scheme else None
        if isinstance(recipe, Rows):
            parts = [self._carried(part, scheme) for part in recipe.of]
            known = [part for part in parts if part is not None]
            return schemes.concat_rows(known) if len(known) == len(parts) else None
        return None

    def values(self, recipe: Recipe) -> Array:
        """The weight's values as f32."""
        match recipe:
            case Source(name):
                return self.checkpoint.load(self.resolve(name))
            case Transposed(of):
                return np.ascontiguousarray(self.values(of).swapaxes(-1, -2))
            case Stacked(of):
                experts = self.values(of)
                return experts.reshape(-1, experts.shape[-1])
            case Rows(parts):
                return np.concatenate([self.values(part) for part in parts])
            case Elementwise(op, of, constant):
                computed: Array = ARITHMETIC[op](self.values(of), np.float32(constant))
                return computed


def describe(recipe: Recipe) -> str:
    """The weight's name in the manifest: the same recipe has the same name in every function."""
    match recipe:
        case Source(name):
            return name
        case Transposed(of):
            return f"{describe(of)}.T"
        case Stacked(of):
            return describe(of)
        case Rows(parts):
            return "+".join(describe(part) for part in parts)
        case Elementwise(op, of, constant):
            return f"{describe(of)} {op.removeprefix('relax.')} {constant!r}"
