"""Which tests `make test` has of a kind; `make soak` runs the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pytest


def sampled(names: Iterable[str], sample: Collection[str]) -> list[Any]:
    """Parameters: of these names those in `sample` for `make test`, the others for `make soak`."""
    known = list(names)
    if unknown := set(sample) - set(known):
        raise ValueError(f"no such tests: {', '.join(sorted(unknown))}")
    return [
        pytest.param(name, marks=() if name in sample else pytest.mark.soak, id=name)
        for name in known
    ]


def thin_out(items: Iterable[pytest.Item], folder: Path, over: Collection[str], every: int) -> None:
    """Leaves the variations of this folder's tests to `make soak`, but for one of `every`.

    Counted apart for each value of the fixtures named in `over`, each of which begins one further
    on: every value sees some of each test, and together they see more of it than one alone does.
    A test with no more variations than `every` stays whole.
    """
    families: dict[str, dict[tuple[str, ...], list[pytest.Function]]] = defaultdict(dict)
    for item in items:
        if isinstance(item, pytest.Function) and item.path.is_relative_to(folder):
            values = item.callspec.params if hasattr(item, "callspec") else {}
            target = tuple(str(values[name]) for name in over if name in values)
            name = f"{item.path}::{item.originalname}"
            families[name].setdefault(target, []).append(item)
    for family in families.values():
        for number, variations in enumerate(family.values()):
            if len(variations) <= every:
                continue
            for place, item in enumerate(variations):
                if (place - number) % every:
                    item.add_marker(pytest.mark.soak)
