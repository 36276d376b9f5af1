"""One browser for each module, and the folder of models that its server has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from web.verify import BrowserEngine, browser_engine


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def engine(models: Path) -> Iterator[BrowserEngine]:
    with browser_engine(models) as running:
        yield running
