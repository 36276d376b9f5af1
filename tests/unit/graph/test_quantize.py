"""Schemes of weights, codes carried over, and names in the manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from transformers import LlamaConfig, PretrainedConfig

from compiler.bundle.schema import Scheme
from compiler.checkpoint.base import Array, Closing, Description, TensorInfo, TokenizerFiles
from compiler.checkpoint.card import unknown
from compiler.errors import CheckpointError, UsageError
from compiler.graph.program import Elementwise, Recipe, Rows, Source, Transposed, sources
from compiler.graph.quantize import KEEP, Coding, describe
from compiler.quantize import F16, F32, Q4, Q4_MIN, Q8, Quantized, dequantize, quantize

A, B, C = Source("a"), Source("b"), Source("c")
NATIVE = {"Q4_0": Q4, "Q4_1": Q4_MIN, "Q8_0": Q8}


@dataclass
class Stored(Closing):
    """A checkpoint in memory: values by name, and the type each is stored as."""

    values: dict[str, Array]
    types: dict[str, str] = field(default_factory=dict)
    label: str = "model.gguf"
    description: Description = field(default_factory=lambda: Description(unknown()))
    config: PretrainedConfig = field(default_factory=LlamaConfig)

    @property
    def tokenizer(self) -> TokenizerFiles:
        raise CheckpointError("no tokenizer")

    def names(self) -> list[str]:
        return list(self.values)

    def info(self, name: str) -> TensorInfo:
        return TensorInfo(self.values[name].shape, self.types.get(name, "F32"), 0)

    def load(self, name: str) -> Array:
        codes = self.quantized(name)
        return self.values[name] if codes is None else dequantize(codes)

    def quantized(self, name: str) -> Quantized | None:
        scheme = NATIVE.get(self.types.get(name, "F32"))
        return None if scheme is None else quantize(self.values[name], scheme)


def matrix(rows: int, columns: int = 64, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


def coding(quantization: str = KEEP, **types: str) -> Coding:
    values = {"a": matrix(4, seed=1), "b": matrix(6, seed=2), "c": matrix(2, seed=3)}
    return Coding(Stored(values, types), {}, quantization)


def assert_codes(got: Quantized, *expected: Quantized) -> None:
    assert {got.scheme} == {part.scheme for part in expected}
    pairs: list[tuple[Any, list[Any]]] = [
        (got.codes, [part.codes for part in expected]),
        (got.scales, [part.scales for part in expected]),
        (got.minimums, [part.minimums for part in expected]),
    ]
    for whole, parts in pairs:
        assert (whole is None) == (parts[0] is None)
        if whole is not None:
            np.testing.assert_array_equal(whole, np.concatenate(parts))


@pytest.mark.parametrize(
    ("wanted", "scheme"), [("q4", Q4_MIN), ("q8", Q8), ("f16", F16), ("f32", F32)]
)
@pytest.mark.parametrize("recipe", [A, Rows((A, B)), Transposed(A)])
def test_chosen_scheme_is_for_every_matrix(wanted: str, scheme: Scheme, recipe: Recipe) -> None:
    assert coding(wanted, a="Q8_0").scheme(recipe, 64) == scheme


@pytest.mark.parametrize(("columns", "scheme"), [(64, Q4_MIN), (40, F16), (36, F32)])
def test_widths_that_are_no_whole_groups(columns: int, scheme: Scheme) -> None:
    assert coding("q4").scheme(A, columns) == scheme
    assert coding(KEEP, a="Q4_1").scheme(A, columns) == scheme


@pytest.mark.parametrize(
    ("stored", "scheme"),
    [
        ("Q4_0", Q4),
        ("Q4_1", Q4_MIN),
        ("Q4_K", Q4_MIN),
        ("Q6_K", Q8),
        ("Q8_0", Q8),
        ("BF16", F16),
        ("F32", F32),
    ],
)
def test_keep_follows_the_file(stored: str, scheme: Scheme) -> None:
    assert coding(KEEP, a=stored).scheme(A, 64) == scheme


def test_keep_takes_the_most_precise_of_mixed_parts() -> None:
    assert coding(KEEP, a="Q4_1", b="Q8_0").scheme(Rows((A, B)), 64) == Q8


def test_keep_refuses_types_without_a_scheme() -> None:
    with pytest.raises(UsageError, match=r"a is stored as IQ2_XXS.*--quantization q4"):
        coding(KEEP, a="IQ2_XXS").scheme(A, 64)


def test_only_equal_codings_are_grouped_under_keep() -> None:
    assert coding(KEEP, a="Q4_1", b="Q4_1").same([A, B])
    assert not coding(KEEP, a="Q4_1", b="Q8_0").same([A, B])
    assert not coding(KEEP, a="Q4_1", b="Q4_1", c="F32").same([Rows((A, B)), C])
    assert coding("q4", a="Q4_1", b="Q8_0").same([A, B])


@pytest.mark.parametrize("stored", ["Q4_0", "Q4_1", "Q8_0"])
def test_stored_codes_are_carried_over(stored: str) -> None:
    made = coding(KEEP, a=stored)
    codes = made.checkpoint.quantized("a")
    assert codes is not None
    assert_codes(made.matrix(A, NATIVE[stored]), codes)
    assert made.losses == {}


@pytest.mark.parametrize("stored", ["Q4_0", "Q4_1", "Q8_0"])
def test_stacked_codes_are_carried_over(stored: str) -> None:
    made = coding(KEEP, a=stored, b=stored, c=stored)
    parts = [made.checkpoint.quantized(name) for name in "abc"]
    stacked = made.matrix(Rows((A, Rows((B, C)))), NATIVE[stored])
    assert_codes(stacked, *(part for part in parts if part is not None))
    assert made.losses == {}


def test_one_part_of_another_type_codes_all_anew() -> None:
    made = coding(KEEP, a="Q8_0", b="F32")
    got = made.matrix(Rows((A, B)), Q8)
    values = np.concatenate([made.checkpoint.load("a"), made.checkpoint.load("b")])
    assert_codes(got, quantize(values, Q8))


def test_transposed_codes_are_computed_anew() -> None:
    values = {"a": matrix(64, 32)}
    made = Coding(Stored(values, {"a": "Q8_0"}), {}, KEEP)
    got = made.matrix(Transposed(A), Q8)
    assert_codes(got, quantize(np.ascontiguousarray(made.checkpoint.load("a").T), Q8))
    relative = made.losses[Transposed(A)].relative
    wrong = dequantize(got) - made.checkpoint.load("a").T
    expected = np.linalg.norm(wrong) / np.linalg.norm(made.checkpoint.load("a"))
    assert 0 < relative == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(
    ("stored", "recipe", "error"),
    [
        ("F32", Transposed(A), 0),
        ("F16", Transposed(A), 2e-4),  # the values in memory are f32
        ("Q6_K", A, 5e-3),
        ("Q8_0", Elementwise("relax.add", A, 1.0), 5e-3),
        ("Q4_K", A, 7e-2),
    ],
)
def test_says_how_far_off_what_was_coded_anew_is(stored: str, recipe: Recipe, error: float) -> None:
    made = coding(KEEP, a=stored)
    made.matrix(recipe, made.scheme(recipe, 64))
    assert made.losses[recipe].relative == pytest.approx(error, rel=0.5)


def test_chosen_schemes_are_not_measured() -> None:
    made = coding("q4")
    made.matrix(A, Q4_MIN)
    assert made.losses == {}


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("relax.add", lambda w: w + np.float32(0.1)),
        ("relax.subtract", lambda w: w - np.float32(0.1)),
        ("relax.multiply", lambda w: w * np.float32(0.1)),
        ("relax.divide", lambda w: w / np.float32(0.1)),
    ],
)
def test_arithmetic_is_that_of_f32(op: str, expected: Any) -> None:
    made = coding("f32")
    got = made.values(Elementwise(op, A, 0.1))
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, expected(made.checkpoint.load("a")))


def test_values_of_stacked_and_transposed_weights() -> None:
    made = coding("f32")
    a, b = made.checkpoint.load("a"), made.checkpoint.load("b")
    np.testing.assert_array_equal(made.values(Rows((A, B))), np.concatenate([a, b]))
    transposed = made.values(Transposed(A))
    np.testing.assert_array_equal(transposed, a.T)
    assert transposed.flags.c_contiguous


def test_tied_name_is_found_under_its_other_name() -> None:
    names = {"lm_head.weight": ["lm_head.weight", "a"], "a": ["a", "lm_head.weight"]}
    made = Coding(Stored({"a": matrix(4)}, {"a": "Q8_0"}), names, KEEP)
    assert made.resolve("lm_head.weight") == "a"
    assert made.scheme(Source("lm_head.weight"), 64) == Q8
    codes = made.checkpoint.quantized("a")
    assert codes is not None
    assert_codes(made.matrix(Source("lm_head.weight"), Q8), codes)


def test_own_name_goes_before_tied_ones() -> None:
    values = {"a": matrix(4), "b": matrix(4)}
    made = Coding(Stored(values), {"b": ["b", "a"]}, KEEP)
    assert made.resolve("b") == "b"


def test_missing_tensor_is_named() -> None:
    made = coding()
    for recipe in (Source("nope"), Rows((A, Source("nope")))):
        with pytest.raises(CheckpointError, match=r"model\.gguf holds no tensor 'nope'"):
            made.values(recipe)


@pytest.mark.parametrize(
    ("recipe", "name", "read"),
    [
        (A, "a", ["a"]),
        (Transposed(A), "a.T", ["a"]),
        (Rows((A, B, C)), "a+b+c", ["a", "b", "c"]),
        (Elementwise("relax.add", A, 1.0), "a add 1.0", ["a"]),
        (Rows((Transposed(B), A)), "b.T+a", ["b", "a"]),
    ],
)
def test_names_of_recipes(recipe: Recipe, name: str, read: list[str]) -> None:
    assert describe(recipe) == name
    assert sources(recipe) == read
