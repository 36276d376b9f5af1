from __future__ import annotations

import dataclasses
import gzip
from pathlib import Path

import pytest
from rich.console import Console

from compiler.bundle.cards import license_words, quantization
from compiler.bundle.inspect import facts, readable, size
from compiler.bundle.read import Bundle
from compiler.bundle.schema import License, Scheme, Tensor
from tests.unit.bundle.sample import CARD, CONTEXT, KERNEL_TEXT, write_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    write_bundle(tmp_path / "tiny")
    return Bundle.open(tmp_path / "tiny")


def test_the_figures_of_a_variant(bundle: Bundle) -> None:
    state = 64 + 128 * CONTEXT  # the largest buffer, and bound as a whole
    assert facts(bundle)["variants"]["f32"] == {
        "backend": "webgpu",
        "dispatches_decode": 4,
        "dispatches": {"decode": 4, "prefill_4": 2, "prefill_8": 4},
        "dispatches_per_layer": {"decode": 2, "prefill": 3},
        "bytes_per_token": 1000,
        "kernels": 2,
        "max_storage_buffers_per_stage": 2,
        "max_workgroup_bytes": 4096,
        "max_invocations": 256,
        "max_workgroups_per_dimension": 4,
        "max_binding_bytes": state,
        "max_buffer_bytes": state,
        "weight_bytes": 1024,
        "scratch_bytes": 512 + 32,
        "state_bytes": state,
        "kernel_text_bytes": len(KERNEL_TEXT),
        "kernel_text_gzip_bytes": len(gzip.compress(KERNEL_TEXT)),
    }


def test_the_figures_of_the_bundle(bundle: Bundle) -> None:
    known = facts(bundle)
    assert known["name"] == "tiny"
    assert known["bits_per_weight"] == 32.0
    assert known["file_bytes"] == sum(
        path.stat().st_size
        for path in bundle.path.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    )


def test_the_readable_form_shows_units_and_notes(bundle: Bundle) -> None:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(readable(bundle))
    text = capture.get()
    assert "256 parameters, 32.00 bits per weight" in text
    assert "decode 2, prefill 3" in text
    assert "1.0 kB" in text
    assert "note: made by a test" in text
    assert "bytes per token                1.0 kB" in text


def test_the_card_is_told_with_what_is_unknown(bundle: Bundle) -> None:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(readable(bundle))
    told = [line.strip() for line in capture.get().splitlines()]
    assert "licence        apache-2.0 (https://example.org/license)" in told
    assert "languages      en, fr" in told
    assert "training data  not stated" in told
    assert "made from      someone/tiny-base" in told
    assert "quantization   32-bit numbers (100%); in the checkpoint: F32" in told


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (License("", "", "", ""), "not stated"),
        (License("mit", "", "LICENSE", ""), "mit (LICENSE)"),
        (License("other", "llama3.2", "", "Ask first."), "llama3.2 - Ask first."),
        (License("other", "", "", ""), "other"),
        (License("", "", "LICENSE", ""), "LICENSE"),
    ],
)
def test_licences_in_words(known: License, words: str) -> None:
    assert license_words(known) == words


def test_codings_in_words_by_their_share() -> None:
    def tensor(rows: int, scheme: Scheme) -> Tensor:
        return Tensor([rows, 10], scheme, "blocked", 0, {}, [])

    tensors = {
        "a": tensor(60, Scheme(4, 32, True)),
        "b": tensor(30, Scheme(8, 32, False)),
        "c": tensor(10, Scheme(16, 0, False)),
        "d": Tensor([1], Scheme(32, 0, False), "plain", 0, {}, []),
    }
    card = dataclasses.replace(CARD, stored=["Q4_1", "Q8_0"])
    assert quantization(tensors, card) == (
        "4-bit codes, a scale and a minimum for each 32 (60%), 8-bit codes, a scale for each 32 "
        "(30%), 16-bit numbers (10%); in the checkpoint: Q4_1, Q8_0"
    )


@pytest.mark.parametrize(
    ("count", "text"),
    [(999, "999 B"), (1000, "1.0 kB"), (94_371_840, "94.4 MB"), (2 * 10**9, "2.0 GB")],
)
def test_size_uses_decimal_units(count: int, text: str) -> None:
    assert size(count) == text
