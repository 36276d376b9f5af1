"""Which tests `make test` has of a kind; `make soak` runs the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable
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
