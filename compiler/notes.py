"""What a person should know of a bundle's weights before using it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from compiler.graph.program import Recipe, sources
from compiler.graph.quantize import Coding, Loss
from compiler.lower.tensors import Matrix

Losses: TypeAlias = Mapping[Recipe, Loss]


def coded_anew(matrices: Sequence[Matrix], coding: Coding) -> list[str]:
    """A line for each stored type of which not all values were kept, with how far off they are."""
    lost = [matrix for matrix in matrices if _relative(matrix, coding.losses) > 0]
    kinds: dict[str, list[Matrix]] = {}
    for matrix in lost:
        stored = sorted({coding.stored(name) for name in sources(matrix.recipe)})
        key = f"stored as {' and '.join(stored)}, coded anew in {matrix.scheme.bits} bits"
        kinds.setdefault(key, []).append(matrix)
    return [
        _line(f"{len(of)} of {len(matrices)} matrices {kind}", of, coding.losses)
        for kind, of in kinds.items()
    ]


def _line(what: str, matrices: Sequence[Matrix], losses: Losses) -> str:
    errors = [_relative(matrix, losses) for matrix in matrices]
    worst = matrices[errors.index(max(errors))].name
    return (
        f"{what}: relative RMS error {sum(errors) / len(errors):.2g} on average, "
        f"{max(errors):.2g} at most ({worst})"
    )


def _relative(matrix: Matrix, losses: Losses) -> float:
    loss = losses.get(matrix.recipe)
    return 0.0 if loss is None else loss.relative


def never_generated(stop_tokens: Sequence[int], vocabulary: int) -> list[str]:
    """Says which of the ids that end an answer are left out, as the model has no such tokens."""
    ids = ", ".join(str(id_) for id_ in stop_tokens if id_ >= vocabulary)
    return [f"stop tokens {ids} are left out: the model has {vocabulary} tokens"] if ids else []
