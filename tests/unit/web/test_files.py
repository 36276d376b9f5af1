from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from compiler.bundle.schema import Manifest
from tests.unit.bundle.sample import write_bundle
from web import built
from web.built import find_page
from web.errors import SiteError

CONTENT = bytes(range(256)) * 4


@pytest.fixture
def shard(models: Path) -> str:
    manifest: Manifest = write_bundle(models / "tiny", tensor=CONTENT)
    return f"/models/tiny/{manifest.tensors['embed'].shards[0].file}"


def _range(client: TestClient, path: str, value: str) -> Any:
    return client.get(path, headers={"Range": value})


@pytest.mark.parametrize(
    ("value", "start", "end"),
    [("bytes=0-9", 0, 10), ("bytes=1000-", 1000, 1024), ("bytes=-4", 1020, 1024)],
)
def test_a_range_is_answered_with_206(
    client: TestClient, shard: str, value: str, start: int, end: int
) -> None:
    response = _range(client, shard, value)
    assert response.status_code == 206
    assert response.content == CONTENT[start:end]
    assert response.headers["Content-Range"] == f"bytes {start}-{end - 1}/1024"


def test_a_range_beyond_the_end_is_answered_with_416(client: TestClient, shard: str) -> None:
    response = _range(client, shard, "bytes=2000-3000")
    assert response.status_code == 416
    assert response.headers["Content-Range"] == "bytes */1024"
    assert "Cache-Control" not in response.headers


def test_hashed_files_are_kept_for_ever(client: TestClient, shard: str, models: Path) -> None:
    expected = "public, max-age=31536000, immutable"
    assert client.get(shard).headers["Cache-Control"] == expected
    assert _range(client, shard, "bytes=0-9").headers["Cache-Control"] == expected
    manifest = client.get("/models/tiny/manifest.json").json()
    for name in manifest["files"]:
        response = client.get(f"/models/tiny/{name}")
        assert response.headers["Cache-Control"] == expected
        assert response.content == (models / "tiny" / name).read_bytes()


def test_the_manifest_is_revalidated(client: TestClient, shard: str, models: Path) -> None:
    first = client.get("/models/tiny/manifest.json")
    assert first.headers["Cache-Control"] == "no-cache"
    assert first.headers["Content-Type"] == "application/json"
    tag = {"If-None-Match": first.headers["ETag"]}
    assert client.get("/models/tiny/manifest.json", headers=tag).status_code == 304
    write_bundle(models / "tiny", tensor=bytes(8))
    assert client.get("/models/tiny/manifest.json", headers=tag).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/models/../secret.json",
        "/models/%2e%2e/secret.json",
        "/models/tiny/../../secret.json",
        "/models/tiny/weights/..%2f..%2f..%2fsecret.json",
        "/models/tiny/weights/%2e%2e/%2e%2e/%2e%2e/secret.json",
        "/models//secret.json",
        "/models/%2fetc%2fpasswd",
        "/models/tiny%00/manifest.json",
        "/%2e%2e/secret.json",
        "/..%2fsecret.json",
    ],
)
def test_no_path_leads_out_of_the_folder(client: TestClient, models: Path, path: str) -> None:
    (models.parent / "secret.json").write_text("{}")
    (models / "secret.json").write_text("{}")
    assert client.get(path).status_code == 404


def test_builds_in_progress_and_foreign_files_are_not_served(
    client: TestClient, models: Path
) -> None:
    write_bundle(models / ".tiny.x.partial")
    (models / "tiny" / "notes.json").write_text("{}")
    assert client.get("/models/.tiny.x.partial/manifest.json").status_code == 404
    assert client.get("/models/tiny/notes.json").status_code == 404
    assert client.get("/models/tiny/").status_code == 404
    assert client.get("/models/").status_code == 404


@pytest.mark.parametrize(
    "name", ["kernels/x.js", "tokenizer/x.svg", "tokenizer/x.html", "weights/x.json", "plans/x.bin"]
)
def test_what_is_no_file_of_a_bundle_is_not_served(
    client: TestClient, models: Path, name: str
) -> None:
    """Nothing that a browser would run or show, on the site's own origin."""
    (models / "tiny" / name).write_text("alert(1)")
    assert client.get(f"/models/tiny/{name}").status_code == 404


def test_links_do_not_lead_out_of_a_bundle(client: TestClient, models: Path) -> None:
    (models.parent / "secret").write_text("{}")
    folder = models / "tiny" / "weights"
    [shard] = folder.iterdir()
    (folder / "up.bin").symlink_to(models.parent / "secret")
    (folder / "loop.bin").symlink_to("loop.bin")
    (folder / "beside.bin").symlink_to(shard.name)
    for name, status in [("up", 404), ("loop", 404), ("beside", 200)]:
        assert (name, client.get(f"/models/tiny/weights/{name}.bin").status_code) == (name, status)
    (models / "other").mkdir()
    (models / "other" / "manifest.json").symlink_to(models / "tiny" / "manifest.json")
    assert client.get("/models/other/manifest.json").status_code == 404
    assert [model["slug"] for model in client.get("/models.json").json()] == ["tiny"]


def test_a_linked_bundle_is_served(client: TestClient, models: Path, tmp_path: Path) -> None:
    write_bundle(tmp_path / "elsewhere")
    (models / "linked").symlink_to(tmp_path / "elsewhere")
    assert client.get("/models/linked/manifest.json").status_code == 200


def test_the_page_is_found_in_a_checkout_and_in_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(built, "__file__", str(tmp_path / "web" / "built.py"))
    with pytest.raises(SiteError, match="make build"):
        find_page()
    for folder in (tmp_path / "web" / "dist", tmp_path / "static" / "dist"):
        folder.mkdir(parents=True)
        (folder / "app.json").touch()
        assert find_page() == folder
