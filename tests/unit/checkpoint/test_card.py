"""What checkpoints say of their models, and what becomes of texts that say it badly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compiler.bundle.schema import Card, License
from compiler.checkpoint import card as cards
from compiler.checkpoint.base import Description, TensorInfo
from compiler.checkpoint.card import (
    LONGEST,
    MOST,
    adapted,
    merged,
    of_gguf,
    read_front_matter,
    stored_types,
    unknown,
)
from compiler.checkpoint.gguf import GgufCheckpoint
from compiler.checkpoint.open import open_checkpoint
from tests.unit.checkpoint import tiny
from tests.unit.checkpoint.gguf_writer import write_gguf
from tests.unit.graph.test_quantize import Stored


def described(folder: Path, front_matter: str) -> Description:
    (folder / "README.md").write_text(f"---\n{front_matter}\n---\n# A model\n", "utf-8")
    return read_front_matter(folder)


def test_a_whole_front_matter(tmp_path: Path) -> None:
    known = described(
        tmp_path,
        """
license: other
license_name: llama3.2
license_link: https://example.org/licence
extra_gated_prompt: >-
  You agree to
  the terms.
language: [en, no, fr]
datasets: someone/texts
base_model:
- someone/base
- someone/other
model_creator: Someone
tags: [chat, chat, small]
homepage: https://example.org
repository: javascript:alert(1)
""",
    )
    assert known.notes == []
    assert known.card == Card(
        License("other", "llama3.2", "https://example.org/licence", "You agree to the terms."),
        languages=["en", "no", "fr"],
        datasets=["someone/texts"],
        base_models=["someone/base", "someone/other"],
        authors=["Someone"],
        tags=["chat", "small"],
        links=["https://example.org"],
        stored=[],
    )


@pytest.mark.parametrize("text", ["", "# A model without front matter\n", "---\n---\n# Empty\n"])
def test_nothing_said_is_unknown_and_no_fault(tmp_path: Path, text: str) -> None:
    assert read_front_matter(tmp_path) == Description(unknown())
    (tmp_path / "README.md").write_text(text)
    assert read_front_matter(tmp_path) == Description(unknown())


@pytest.mark.parametrize(
    "front_matter",
    ["license: [mit", "- a list", "just text", "a: b: c", "license: &a [*b]", "[" * 20_000],
)
def test_damaged_front_matter_is_noted(tmp_path: Path, front_matter: str) -> None:
    found = described(tmp_path, front_matter)
    assert found.card == unknown()
    (note,) = found.notes
    assert note.startswith("README.md's front matter cannot be read (")
    assert note.endswith("licence, languages and training data are unknown")


def test_bytes_that_are_no_text_are_noted(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"---\nlicense: \xff\xfe\n---\n")
    assert "cannot be read" in read_front_matter(tmp_path).notes[0]


def test_an_endless_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "FILE_BYTES", 10)
    assert "more than 10 bytes" in described(tmp_path, "license: mit").notes[0]


def test_values_that_are_no_text_are_left_out_one_by_one(tmp_path: Path) -> None:
    found = described(tmp_path, "license: {id: mit}\nlanguage: en\ndatasets: [one, [two], true, 3]")
    assert found.card.license == unknown().license
    assert (found.card.languages, found.card.datasets) == (["en"], ["one", "3"])
    assert found.notes == [
        "README.md has a dict under license, not a text: left out",
        "README.md has a list under datasets, not a text: left out",
        "README.md has a bool under datasets, not a text: left out",
    ]


def test_texts_and_lists_are_bounded(tmp_path: Path) -> None:
    tags = ", ".join(f"t{i}" for i in range(1000))
    front = f'license: "a\\nb\\u202Ec {"x" * 1000}"\ntags: [{tags}]\ndatasets: [{"[], " * 500}]'
    found = described(tmp_path, front)
    assert found.card.license.id.startswith("a b c xxx")
    assert len(found.card.license.id) == LONGEST
    assert len(found.card.tags) == MOST
    assert len(found.notes) == MOST


def test_of_gguf() -> None:
    metadata = {
        "general.license": "other",
        "general.license.name": "some licence",
        "general.license.link": "LICENSE.md",
        "general.languages": ["en", 7],
        "general.dataset.count": 2,
        "general.dataset.0.organization": "someone",
        "general.dataset.0.name": "Texts",
        "general.base_model.count": 1,
        "general.base_model.0.name": "Base",
        "general.author": "A person",
        "general.organization": "Someone",
        "general.tags": ["chat"],
        "general.url": "https://example.org/model",
        "general.repo_url": "not an address",
    }
    assert of_gguf(metadata) == Card(
        License("other", "some licence", "LICENSE.md", ""),
        languages=["en"],
        datasets=["someone/Texts"],
        base_models=["Base"],
        authors=["A person", "Someone"],
        tags=["chat"],
        links=["https://example.org/model"],
        stored=[],
    )
    assert of_gguf({}) == unknown()
    assert of_gguf({"general.license": 5, "general.base_model.count": "many"}) == unknown()
    assert of_gguf({"general.base_model.count": 1 << 60}) == unknown()


def test_what_one_source_does_not_say_the_other_may() -> None:
    one = of_gguf({"general.license": "mit", "general.languages": ["en"]})
    other = of_gguf({"general.license": "gpl", "general.author": "Someone"})
    both = merged(one, other)
    assert (both.license.id, both.languages, both.authors) == ("mit", ["en"], ["Someone"])


def test_an_adapter_adds_its_data_and_names_its_licence(tmp_path: Path) -> None:
    base = Description(of_gguf({"general.license": "mit", "general.datasets": ["a"]}))
    folder = tmp_path / "adapter"
    folder.mkdir()
    assert adapted(base, folder) == base
    described(folder, "license: gpl-3.0\ndatasets: [b]")
    found = adapted(base, folder)
    assert (found.card.license.id, found.card.datasets) == ("mit", ["a", "b"])
    assert found.notes == ["the adapter adapter is under the licence gpl-3.0"]


def test_types_by_their_bytes() -> None:
    class Sized(Stored):
        def info(self, name: str) -> TensorInfo:
            return TensorInfo((4, 4), self.types[name], len(name))

    values = {name: np.zeros((4, 4), np.float32) for name in ("a", "bbb", "ccc")}
    types = {"a": "Q4_0", "bbb": "F32", "ccc": "Q4_0"}
    assert stored_types(Sized(values, types)) == ["Q4_0", "F32"]


def test_a_folder_brings_its_card(tmp_path: Path) -> None:
    model = tiny.llama()
    model.save_pretrained(tmp_path)
    described(tmp_path, "license: apache-2.0")
    assert open_checkpoint(str(tmp_path)).description.card.license.id == "apache-2.0"


def test_the_readme_beside_a_gguf_file_counts_where_a_hub_put_it_there(tmp_path: Path) -> None:
    file = tmp_path / "a.gguf"
    write_gguf(file)
    described(tmp_path, "license: gpl-3.0\nlanguage: fr")
    assert GgufCheckpoint(file).description.card.languages == []
    fetched = GgufCheckpoint(file, "someone/model@main:a.gguf").description.card
    assert (fetched.license.id, fetched.languages) == ("mit", ["fr"])  # the file's own goes first
