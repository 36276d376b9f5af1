"""How each weight is coded: decided before lowering, carried out when weights are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from compiler.bundle.schema import Scheme
from compiler.checkpoint.base import IntArray, TensorInfo, Weights
from compiler.errors import CheckpointError, UsageError
from compiler.graph.program import (
    ARITHMETIC,
    Elementwise,
    Recipe,
    Rows,
    Sorted,
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
    # Of safetensors files; where codes can be carried over, the checkpoint says so itself.
    "AWQ-4": schemes.Q4_MIN,
    "GPTQ-2": schemes.Q4_MIN,
    "GPTQ-4": schemes.Q4_MIN,
    "GPTQ-8": schemes.Q8,
    "PACKED-4": schemes.Q4_MIN,
    "PACKED-8": schemes.Q8,
    "FP8": schemes.Q8,
    # Of MLC's, likewise.
    "Q3F16_1": schemes.Q4_MIN,
    "Q4F16_1": schemes.Q4_MIN,
    "Q4F16_2": schemes.Q4_MIN,
    "Q4F32_1": schemes.Q4_MIN,
}


@dataclass
class Loss:
    """What a matrix lost by being coded otherwise than it was stored."""

    squares: float = 0.0  # of its values
    errors: float = 0.0  # squared

    def add(self, values: Array, coded: Quantized) -> None:
        """Counts values (..., K), in the columns' order, against codes (N, K) of them."""
        rows = values.reshape(-1, coded.columns)
        step = max(1, (1 << 20) // max(1, coded.columns))  # bounds what is decoded at a time
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            error = schemes.dequantize(coded.take_rows(part)) - rows[part]
            self.squares += float(np.vdot(rows[part], rows[part]))
            self.errors += float(np.vdot(error, error))

    @property
    def relative(self) -> float:
        """Root mean square of the error over that of the values."""
        return float(np.sqrt(self.errors / self.squares)) if self.squares else 0.0


@dataclass(frozen=True)
class Coding:
    """The scheme of every matrix, from what the checkpoint stores and what the user asked for."""

    checkpoint: Weights
    names: dict[str, list[str]]  # names of tied parameters, from trace.model.tied_names
    quantization: str  # a key of SCHEMES, or KEEP
    prefix: str = ""  # transformers' base_model_prefix, such as "model"
    # What stacked experts are made of, for those that are stored apart.
    pieces: Callable[[str], list[str]] = lambda name: [name]
    # Under `keep`, matrices whose values are not all as stored, once `matrix` was asked for them.
    losses: dict[Recipe, Loss] = field(default_factory=dict)

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
        infos = [self._info(name) for recipe in recipes for name in sources(recipe)]
        first = infos[0]
        return all(
            (info.stored, info.scheme) == (first.stored, first.scheme)
            and _same_order(info.order, first.order)
            for info in infos
        )

    def order(self, recipe: Recipe) -> IntArray | None:
        """The input of each column of stored codes that have them in an order of their own."""
        match recipe:
            case Source(name) if self.quantization == KEEP:
                return self._info(name).order
            case Rows(parts):
                orders = [self.order(part) for part in parts]
                same = all(_same_order(order, orders[0]) for order in orders)
                return orders[0] if same else None
            case _:
                return None

    def stored(self, name: str) -> str:
        """The type of a tensor in the checkpoint."""
        return self._info(name).stored

    def _info(self, name: str) -> TensorInfo:
        return self.checkpoint.info(self.resolve(name))

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
        info = self._info(name)
        stored = info.stored
        if info.scheme is not None:
            return info.scheme
        if stored not in NATIVE:
            raise UsageError(
                f"{name} is stored as {stored}, which cannot be kept; choose --quantization q4, "
                "q8, f16 or f32"
            )
        return NATIVE[stored]

    def _known(self) -> set[str]:
        return set(self.checkpoint.names())

    def matrix(self, recipe: Recipe, scheme: Scheme) -> Quantized:
        """The weight (N, K) in `scheme`, its stored codes carried over where they can be."""
        carried = self._carried(recipe, scheme)
        if carried is not None:
            if any(self._info(name).rounded for name in sources(recipe)):
                self._count(recipe, self.values(recipe), carried)
            return carried
        pieces = self._pieces(recipe)
        if len(pieces) > 1:
            return schemes.concat_rows([self._piece(name, recipe, scheme) for name in pieces])
        return self._anew(recipe, self.values(recipe), scheme, " + ".join(sources(recipe)))

    def _anew(self, recipe: Recipe, values: Array, scheme: Scheme, name: str) -> Quantized:
        coded = schemes.quantize(values, scheme, name)
        self._count(recipe, values, coded)
        return coded

    def _count(self, recipe: Recipe, values: Array, coded: Quantized) -> None:
        if self.quantization == KEEP:
            self.losses.setdefault(recipe, Loss()).add(values, coded)

    def _pieces(self, recipe: Recipe) -> list[str]:
        """Stored tensors that stacked experts are made of."""
        match recipe:
            case Stacked(Source(name)):
                return self.pieces(self.resolve(name))
            case _:
                return []

    def _piece(self, name: str, recipe: Recipe, scheme: Scheme) -> Quantized:
        info = self.checkpoint.info(name)
        codes = None if info.order is not None else self.checkpoint.quantized(name)
        if codes is None or codes.scheme != scheme:
            return self._anew(recipe, self.checkpoint.load(name), scheme, name)
        if info.rounded:
            self._count(recipe, self.checkpoint.load(name), codes)
        return codes

    def _carried(self, recipe: Recipe, scheme: Scheme) -> Quantized | None:
        match recipe:
            case Source(name) if self._info(name).order is None:
                return self._codes(name, scheme, axes=2)
            case Sorted(Source(name)):
                return self._codes(name, scheme, axes=2)
            case Stacked(Transposed(Source(name))):
                return self._codes(name, scheme, axes=3)
            case Rows(of):
                parts = [self._carried(part, scheme) for part in of]
                known = [part for part in parts if part is not None]
                return schemes.concat_rows(known) if len(known) == len(parts) else None
            case _:
                return None

    def _codes(self, name: str, scheme: Scheme, axes: int) -> Quantized | None:
        if len(self._info(name).shape) != axes:
            return None
        codes = self.checkpoint.quantized(self.resolve(name))
        return codes if codes is not None and codes.scheme == scheme else None

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
            case Sorted(of):
                order = self.order(of)
                values = self.values(of)
                return values if order is None else np.ascontiguousarray(values[:, order])
            case Elementwise(op, of, constant):
                computed: Array = ARITHMETIC[op](self.values(of), np.float32(constant))
                return computed


def _same_order(one: IntArray | None, other: IntArray | None) -> bool:
    return one is other or (one is not None and other is not None and np.array_equal(one, other))


def describe(recipe: Recipe) -> str:
    """The weight's name in the manifest: the same recipe has the same name in every function."""
    match recipe:
        case Source(name):
            return name
        case Transposed(of):
            return f"{describe(of)}.T"
        case Stacked(of):
            return describe(of)
        case Sorted(of):
            return f"{describe(of)}.sorted"
        case Rows(parts):
            return "+".join(describe(part) for part in parts)
        case Elementwise(op, of, constant):
            return f"{describe(of)} {op.removeprefix('relax.')} {constant!r}"
