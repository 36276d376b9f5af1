"""docs/screens.md shows the pictures there are, each with a text for who cannot see it."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
BUDGET = 1_600_000  # bytes: a checkout has all of them


def test_every_picture_is_shown_and_described() -> None:
    shown = re.findall(r"!\[([^\]]*)\]\(screens/([^)]+)\)", (DOCS / "screens.md").read_text())
    assert sorted(name for _, name in shown) == sorted(
        path.name for path in (DOCS / "screens").iterdir()
    )
    assert all(len(text) > 10 for text, _ in shown)


def test_they_are_small() -> None:
    assert sum(path.stat().st_size for path in (DOCS / "screens").iterdir()) < BUDGET
