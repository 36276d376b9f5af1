"""Which unit tests are quick: those that `make check` runs."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.hookimpl(tryfirst=True)  # before pytest looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    own = (item for item in items if item.path.is_relative_to(Path(__file__).parent))
    for item in own:
        if not any(item.get_closest_marker(name) for name in ("slow", "soak")):
            item.add_marker(pytest.mark.quick)
