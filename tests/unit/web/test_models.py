from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.unit.bundle.sample import write_bundle
from web.errors import SiteError
from web.models import Models


def test_the_list_names_every_bundle_with_its_hash(client: TestClient, models: Path) -> None:
    write_bundle(models / "ünï cödé")
    response = client.get("/models.json")
    assert response.headers["Cache-Control"] == "no-cache"
    listed = response.json()
    assert [model["name"] for model in listed] == ["tiny", "tiny"]
    for model in listed:
        manifest = client.get(f"/{model['urls'][0]}manifest.json")
        assert manifest.status_code == 200
        assert model["integrity"] == f"sha256-{hashlib.sha256(manifest.content).hexdigest()}"
        assert model["bytes"] == sum(entry["bytes"] for entry in manifest.json()["files"].values())


def test_a_new_build_changes_the_hash(client: TestClient, models: Path) -> None:
    first = client.get("/models.json")
    write_bundle(models / "tiny", tensor=bytes(8))
    again = client.get("/models.json", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200
    assert again.json()[0]["integrity"] != first.json()[0]["integrity"]


def test_a_bundle_of_another_format_is_left_out_with_a_warning(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_bundle(models / "newer")
    file = models / "newer" / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_bytes()), "format": 99}))
    with caplog.at_level(logging.WARNING):
        found = Models(models)
        assert [model.slug for model in found.list()] == ["tiny"]
        assert [model.slug for model in found.list()] == ["tiny"]
    assert len(caplog.records) == 1  # said once, not at every request
    assert "format 99" in caplog.text


def test_builds_in_progress_are_not_listed(models: Path) -> None:
    write_bundle(models / ".tiny.x.partial")
    assert len(Models(models).list()) == 1


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"nowhere is no folder.*--models"):
        Models(tmp_path / "nowhere")


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"holds no bundle.*compile-model"):
        Models(tmp_path).require_any()
