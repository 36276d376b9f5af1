from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.unit.bundle.sample import write_bundle
from web.files import BUILT
from web.server import create_app


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A built page of one line per file."""
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in BUILT:
        (folder / name).write_text(f"/* {name} */\n" * 100)
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    write_bundle(folder / "tiny")
    return folder


@pytest.fixture
def client(models: Path, page: Path) -> Iterator[TestClient]:
    with TestClient(create_app(models, page), raise_server_exceptions=False) as client:
        yield client
