"""A model's card in words, for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping

from compiler.bundle.schema import Card, License, Manifest, Scheme, Tensor

UNKNOWN = "not stated"
PLAIN = {16: "16-bit numbers", 32: "32-bit numbers"}
LEAST = 0.01  # the share of weights below which a coding goes without saying


def rows(manifest: Manifest) -> list[tuple[str, str]]:
    """What is to be said of the model, by name; what is unknown says so."""
    card = manifest.card
    return [
        ("licence", license_words(card.license)),
        ("languages", _listed(card.languages)),
        ("training data", _listed(card.datasets)),
        ("made from", _listed(card.base_models)),
        ("authors", _listed(card.authors)),
        ("tags", _listed(card.tags)),
        ("links", _listed(card.links)),
        ("quantization", quantization(manifest.tensors, card)),
    ]


def license_words(known: License) -> str:
    """The licence, where its text is, and what one must agree to."""
    name = known.name if known.id in ("", "other") else known.id
    named = name or known.id or known.link or UNKNOWN
    where = [f"({known.link})"] if known.link and named != known.link else []
    terms = [f"- {known.terms}"] if known.terms else []
    return " ".join([named, *where, *terms])


def quantization(tensors: Mapping[str, Tensor], card: Card) -> str:
    """How weights are coded, by their share, and what they were before."""
    counts: dict[str, int] = {}
    for tensor in tensors.values():
        words = _scheme(tensor.scheme)
        counts[words] = counts.get(words, 0) + math.prod(tensor.shape)
    total = max(1, sum(counts.values()))
    shares = sorted(((count / total, words) for words, count in counts.items()), reverse=True)
    said = [f"{words} ({share:.0%})" for share, words in shares if share >= LEAST]
    return f"{', '.join(said)}; in the checkpoint: {_listed(card.stored)}"


def _scheme(scheme: Scheme) -> str:
    if not scheme.group:
        return PLAIN[scheme.bits]
    scaled = "a scale and a minimum" if scheme.has_minimum else "a scale"
    return f"{scheme.bits}-bit codes, {scaled} for each {scheme.group}"


def _listed(texts: list[str]) -> str:
    return ", ".join(texts) or UNKNOWN
