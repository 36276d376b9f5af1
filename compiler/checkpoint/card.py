"""What a checkpoint says of its model: licence, languages, training data, where it comes from.

It is others' text: every line is cut to a bounded length, and nothing in it stops a compilation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from huggingface_hub import metadata_load

from compiler.bundle.schema import Card, License
from compiler.checkpoint.base import Description, Tensors, one_line

LONGEST, LONGEST_TERMS = 200, 400  # characters of a text
MOST = 50  # texts of a list
FILE, FILE_BYTES = "README.md", 2 << 20  # benchmarks in the front matter may take megabytes

Texts = Sequence[str]
Known = TypeVar("Known", str, list[str], License)


def unknown() -> Card:
    """The card of a model of which nothing is said."""
    return Card(License("", "", "", ""), [], [], [], [], [], [], [])


def read_front_matter(folder: Path) -> Description:
    """The card in the front matter of README.md, as model hubs have it; unknown without one."""
    file = folder / FILE
    try:
        if not file.exists():
            return Description(unknown())
        if file.stat().st_size > FILE_BYTES:
            raise ValueError(f"it has more than {FILE_BYTES:,} bytes")
        data = metadata_load(file) or {}
    except Exception as error:  # whatever the YAML library says of prose
        why = f"{FILE}'s front matter cannot be read ({one_line(error)})"
        return Description(unknown(), [f"{why}: licence, languages and training data are unknown"])
    return _FrontMatter(data).description()


class _FrontMatter:
    """The keys that hubs document, by whatever type they were written."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self._notes: list[str] = []

    def description(self) -> Description:
        card = Card(
            license=self._license(),
            # YAML reads Norwegian's code, written without quotation marks, as `false`.
            languages=self._list("language", no="no"),
            datasets=self._list("datasets", "dataset"),
            base_models=self._list("base_model"),
            authors=self._list("model_creator", "authors", "author"),
            tags=self._list("tags"),
            links=addresses(self._list("homepage", "repository", "paper", "url")),
            stored=[],
        )
        return Description(card, self._notes)

    def _license(self) -> License:
        terms = self._list("extra_gated_description", "extra_gated_prompt", most=LONGEST_TERMS)
        return License(
            id=", ".join(self._list("license")),
            name=", ".join(self._list("license_name")),
            link=first(self._list("license_link")),
            terms=first(terms),
        )

    def _list(self, *keys: str, no: str = "", most: int = LONGEST) -> list[str]:
        """The texts of all `keys`, which may be one or a list; a note for what is no text."""
        found: list[str] = []
        for key in keys:
            value = self._data.get(key)
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, str | int | float) and not isinstance(each, bool):
                    found.append(line(str(each), most))
                elif each is False and no:
                    found.append(no)
                elif each is not None and len(self._notes) < MOST:
                    kind = type(each).__name__
                    self._notes.append(f"{FILE} has a {kind} under {key}, not a text: left out")
        return bounded(found)


def of_gguf(metadata: Mapping[str, Any]) -> Card:
    """The card in a GGUF file's `general.*` metadata."""

    def texts(*keys: str) -> list[str]:
        values = [metadata.get(f"general.{key}") for key in keys]
        lists = [value if isinstance(value, list) else [value] for value in values]
        return bounded(line(each) for one in lists for each in one if isinstance(each, str))

    def numbered(kind: str) -> list[str]:
        count = metadata.get(f"general.{kind}.count")
        return bounded(
            "/".join(texts(f"{kind}.{i}.organization", f"{kind}.{i}.name"))
            for i in range(min(count, MOST) if isinstance(count, int) else 0)
        )

    return Card(
        license=License(
            id=first(texts("license")),
            name=first(texts("license.name")),
            link=first(texts("license.link")),
            terms="",
        ),
        languages=texts("languages"),
        datasets=bounded([*texts("datasets"), *numbered("dataset")]),
        base_models=numbered("base_model"),
        authors=texts("author", "organization"),
        tags=texts("tags"),
        links=addresses(texts("url", "repo_url", "source.url", "source.repo_url")),
        stored=[],
    )


def merged(card: Card, other: Card) -> Card:
    """`card`, and what only `other` says."""
    return Card(
        license=_known(card.license, other.license, License("", "", "", "")),
        languages=card.languages or other.languages,
        datasets=card.datasets or other.datasets,
        base_models=card.base_models or other.base_models,
        authors=card.authors or other.authors,
        tags=card.tags or other.tags,
        links=card.links or other.links,
        stored=card.stored or other.stored,
    )


def _known(one: Known, other: Known, nothing: Known) -> Known:
    return other if one == nothing else one


def adapted(base: Description, folder: Path) -> Description:
    """The card of a model with the adapter in `folder` merged into it."""
    own = read_front_matter(folder)
    name = own.card.license.name or own.card.license.id
    said = [f"the adapter {folder.resolve().name} is under the licence {name}"] if name else []
    datasets = bounded([*base.card.datasets, *own.card.datasets])
    card = replace(base.card, datasets=datasets)
    return Description(card, [*base.notes, *own.notes, *said])


def stored_types(tensors: Tensors) -> list[str]:
    """The types of the checkpoint's tensors, those of most bytes first."""
    sizes: dict[str, int] = {}
    for name in tensors.names():
        info = tensors.info(name)
        sizes[info.stored] = sizes.get(info.stored, 0) + info.bytes
    return sorted(sizes, key=lambda kind: -sizes[kind])


def line(text: str, most: int = LONGEST) -> str:
    """A text in one printable line of at most `most` characters."""
    printable = "".join(each if each.isprintable() else " " for each in text)
    words = " ".join(printable.split())
    return words if len(words) <= most else words[: most - 1] + "…"


def bounded(texts: Iterable[str]) -> list[str]:
    """Each once, and at most so many; none that is empty."""
    return [text for text in dict.fromkeys(texts) if text][:MOST]


def addresses(texts: Texts) -> list[str]:
    """Those that a browser can open."""
    return [text for text in texts if _is_address(text)]


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and "…" not in text


def first(texts: Texts) -> str:
    """The first, or ""."""
    return texts[0] if texts else ""
