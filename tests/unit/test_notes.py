"""What a build says of values that are not as they were stored."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.graph.program import Source
from compiler.graph.quantize import KEEP, Coding
from compiler.lower.tensors import Matrix
from compiler.notes import coded_anew
from tests.unit.graph.test_quantize import Stored, matrix

TYPES = {"a": "Q6_K", "b": "Q6_K", "c": "Q4_K", "d": "Q8_0", "e": "F16"}


def made(quantization: str = KEEP) -> tuple[list[Matrix], Coding]:
    values = {name: matrix(4, seed=seed) for seed, name in enumerate("abcde")}
    values["e"] = values["e"].astype(np.float16).astype(np.float32)
    coding = Coding(Stored(values, TYPES), {}, quantization)
    matrices = []
    for name in TYPES:
        recipe = Source(name)
        scheme = coding.scheme(recipe, 64)
        coding.matrix(recipe, scheme)
        matrices.append(Matrix(name, recipe, (4, 64), scheme))
    return matrices, coding


def test_a_line_for_each_stored_type_that_was_not_kept() -> None:
    matrices, coding = made()
    losses = {name: coding.losses[Source(name)].relative for name in "abc"}
    worst = max("ab", key=lambda name: losses[name])
    mean = (losses["a"] + losses["b"]) / 2
    assert coded_anew(matrices, coding) == [
        f"2 of 5 matrices stored as Q6_K, coded anew in 8 bits: relative RMS error {mean:.2g} on "
        f"average, {losses[worst]:.2g} at most ({worst})",
        f"1 of 5 matrices stored as Q4_K, coded anew in 4 bits: relative RMS error "
        f"{losses['c']:.2g} on average, {losses['c']:.2g} at most (c)",
    ]
    assert losses["c"] == pytest.approx(0.07, rel=0.5)


def test_nothing_is_said_of_a_chosen_precision() -> None:
    assert coded_anew(*made("q4")) == []
