from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.unit.bundle.sample import write_bundle
from web.built import site_version
from web.headers import security_headers
from web.options import SiteOptions
from web.server import create_app

DEFAULT = SiteOptions()


def assets(build: str, options: SiteOptions = DEFAULT) -> str:
    """The folder of a build's assets on a site."""
    return f"assets/{site_version(build, security_headers(options))}/"


ASSETS = assets("v1")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A built page of one line per file."""
    folder = tmp_path / "dist"
    folder.mkdir()
    names = [
        "assets/v1/" + name
        for name in ("engine.js", "worker.js", "thread.js", "page.js", "page.css")
    ]
    kept = ("engine.js", "sw.js", "sw-remove.js", "manifest.webmanifest", "icons/icon.svg")
    texts = {name: f"/* {name} */\n" * 100 for name in (*names, *kept)}
    build(folder, "v1", {**texts, "engine.js": 'export * from "./assets/v1/engine.js";\n'})
    return folder


def build(folder: Path, version: str, texts: dict[str, str]) -> None:
    """Writes what static/build.mjs would."""
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    files = {name: {"bytes": len(texts[name]), "sha256": hashes[name]} for name in texts}
    preload = [f"assets/{version}/page-1.js"]
    listed = {"version": version, "files": files, "preload": preload}
    (folder / "app.json").write_text(json.dumps(listed))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    write_bundle(folder / "tiny")
    return folder


@pytest.fixture
def client(models: Path, page: Path) -> Iterator[TestClient]:
    with TestClient(create_app(models, page), raise_server_exceptions=False) as client:
        yield client
