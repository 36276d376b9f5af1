from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.unit.bundle.sample import write_bundle
from tests.unit.web.conftest import ASSETS, assets
from web import server, site
from web.compression import WHOLE
from web.headers import content_security_policy, security_headers
from web.options import SiteOptions
from web.server import app_from_environment, create_app

OWN = SiteOptions()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        (f"/{ASSETS}page.js", 200),
        ("/models.json", 200),
        ("/healthz", 200),
        ("/models/tiny/manifest.json", 200),
        ("/models/tiny/missing", 404),
        ("/nothing", 404),
    ],
)
def test_every_answer_carries_the_security_headers(
    client: TestClient, path: str, status: int
) -> None:
    response = client.get(path)
    assert response.status_code == status
    for name, value in security_headers(OWN).items():
        assert response.headers[name] == value


def test_a_fault_of_ours_carries_them_too(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_revalidated", None)
    response = client.get("/")
    assert response.status_code == 500
    assert response.headers["Content-Security-Policy"] == content_security_policy()


def test_the_policy_allows_nothing_inline_and_no_other_origin() -> None:
    policy = content_security_policy()
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy.replace("'wasm-unsafe-eval'", "")
    assert "http" not in policy
    assert "*" not in policy


def test_the_page_has_no_inline_script_or_style(client: TestClient) -> None:
    html = client.get("/").text
    assert f'<script type="module" src="{ASSETS}page.js"></script>' in html
    assert f'<link rel="modulepreload" href="{ASSETS}page-1.js">' in html
    assert html.count(f' src="{ASSETS}') == 2
    assert html.count('<script type="application/json"') == 1
    assert html.count("<script") == 3  # of which the last one is data
    assert "<style" not in html
    assert "style=" not in html
    assert "onclick" not in html


MEDIA_TYPES = {
    "/": "text/html; charset=utf-8",
    "/engine.js": "text/javascript; charset=utf-8",
    "/app.json": "application/json",
    f"/{ASSETS}worker.js": "text/javascript; charset=utf-8",
    f"/{ASSETS}page.css": "text/css; charset=utf-8",
    "/sw.js": "text/javascript; charset=utf-8",
    "/manifest.webmanifest": "application/manifest+json",
    "/icons/icon.svg": "image/svg+xml",
}


@pytest.mark.parametrize("path", MEDIA_TYPES)
def test_files_have_their_types_and_tags(client: TestClient, path: str) -> None:
    first = client.get(path)
    assert first.headers["Content-Type"] == MEDIA_TYPES[path]
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/", "/models.json", "/engine.js", "/app.json", "/sw.js"])
def test_names_that_stay_are_revalidated(client: TestClient, path: str) -> None:
    assert client.get(path).headers["Cache-Control"] == "no-cache"


def test_assets_are_kept_for_ever(client: TestClient) -> None:
    response = client.get(f"/{ASSETS}page.js")
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_another_build_is_served_at_once(client: TestClient, page: Path) -> None:
    client.get("/")
    listed = (page / "app.json").read_text()
    (page / "app.json").write_text(listed.replace("v1", "v2-new"))
    (page / "assets" / "v1").rename(page / "assets" / "v2-new")
    assert f'src="{assets("v2-new")}page.js"' in client.get("/").text
    assert client.get(f"/{assets('v2-new')}page.js").status_code == 200
    assert client.get(f"/{ASSETS}page.js").status_code == 404


def test_other_headers_are_other_files(models: Path, page: Path) -> None:
    """A worker's policy is what came with its script, which browsers keep for a year."""
    with_mirror = SiteOptions(mirrors=("https://mirror.example.net/",))
    names = [assets("v1", options) for options in (OWN, with_mirror, SiteOptions(shared=True))]
    assert len(set(names)) == 3
    with TestClient(create_app(models, page, with_mirror)) as client:
        assert client.get(f"/{names[0]}worker.js").status_code == 404
        worker = client.get(f"/{names[1]}worker.js")
        assert "https://mirror.example.net" in worker.headers["Content-Security-Policy"]
        assert client.get("/engine.js").text == f'export * from "./{names[1]}engine.js";\n'


def test_the_list_holds_whatever_may_change(client: TestClient, models: Path) -> None:
    listed = client.get("/app.json").json()
    for name in ("index.html", "models.json", "headers.json", "engine.js"):
        data = client.get(f"/{name}").content
        digest = hashlib.sha256(data).hexdigest()
        assert listed["files"][name] == {"bytes": len(data), "sha256": digest}
    assert f"assets/{listed['version']}/" == ASSETS
    assert f"{ASSETS}page.js" in listed["files"]
    write_bundle(models / "another")
    assert client.get("/app.json").json() != listed


def test_a_site_without_offline_use_serves_the_remover(models: Path, page: Path) -> None:
    with TestClient(create_app(models, page, SiteOptions(offline=False))) as client:
        served = client.get("/sw.js")
        listed = client.get("/app.json").json()["files"]["sw.js"]
    assert served.content == (page / "sw-remove.js").read_bytes()
    assert listed["sha256"] == hashlib.sha256(served.content).hexdigest()


def test_the_page_knows_whether_it_may_be_kept(models: Path, page: Path) -> None:
    for offline in (True, False):
        with TestClient(create_app(models, page, SiteOptions(offline=offline))) as client:
            block = re.search(r'id="site">(.*?)</script>', client.get("/").text)
        assert block
        assert json.loads(block[1])["offline"] is offline


PREFLIGHT = {
    "Origin": "https://elsewhere.example",
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "range",
}
SHARD = "/models/tiny/manifest.json"


def test_a_shared_site_answers_who_asks_before(models: Path, page: Path) -> None:
    with TestClient(create_app(models, page, SiteOptions(shared=True))) as client:
        asked = client.options(SHARD, headers=PREFLIGHT)
        assert asked.status_code == 200
        assert asked.headers["Access-Control-Allow-Origin"] == "*"
        assert "range" in asked.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert asked.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
        assert "Content-Security-Policy" in asked.headers
        assert "Access-Control-Allow-Credentials" not in asked.headers
        part = client.get(SHARD, headers={"Origin": PREFLIGHT["Origin"], "Range": "bytes=0-9"})
        assert part.status_code == 206
        assert part.headers.get_list("Access-Control-Allow-Origin") == ["*"]
        for name, value in (
            ("Access-Control-Request-Method", "DELETE"),
            ("Access-Control-Request-Headers", "authorization"),
        ):
            assert client.options(SHARD, headers={**PREFLIGHT, name: value}).status_code == 400


def test_a_site_that_is_not_shared_answers_nobody(client: TestClient) -> None:
    asked = client.options(SHARD, headers=PREFLIGHT)
    assert asked.status_code == 405
    assert not [name for name in asked.headers if name.startswith("access-control")]


def test_an_edited_template_shows_without_a_restart(
    models: Path, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates = tmp_path / "templates"
    shutil.copytree(site.TEMPLATES, templates)
    monkeypatch.setattr(site, "TEMPLATES", templates)
    with TestClient(create_app(models, page)) as client:
        before = client.get("/")
        for name in ("chat.html", "header.html"):  # the page's own, and one that it includes
            text = (templates / name).read_text()
            (templates / name).write_text(f"{text}<!-- edited {name} -->")
            os.utime(templates / name, (0, len(name)))  # whatever the clock's grain
            again = client.get("/", headers={"If-None-Match": before.headers["ETag"]})
            assert again.status_code == 200
            assert f"<!-- edited {name} -->" in again.text
        listed = client.get("/app.json").json()["files"]["index.html"]["sha256"]
        assert listed == hashlib.sha256(again.content).hexdigest()


def test_a_changed_file_gets_another_tag(client: TestClient, page: Path) -> None:
    tag = client.get(f"/{ASSETS}page.js").headers["ETag"]
    (page / "assets/v1/page.js").write_text("changed")
    again = client.get(f"/{ASSETS}page.js", headers={"If-None-Match": tag})
    assert again.status_code == 200
    assert again.text == "changed"


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip, deflate, br", "br"), ("gzip", "gzip")])
def test_text_is_compressed_as_the_client_can_read_it(
    client: TestClient, page: Path, accepted: str, encoding: str
) -> None:
    for _ in range(2):
        got = client.get(f"/{ASSETS}page.js", headers={"Accept-Encoding": accepted})
        assert got.headers["Content-Encoding"] == encoding
        assert got.headers["Vary"] == "Accept-Encoding"
        assert int(got.headers["Content-Length"]) < len(got.content) / 10
        assert got.content == (page / "assets/v1/page.js").read_bytes()


def test_a_long_text_is_compressed_on_its_way(client: TestClient, page: Path) -> None:
    long = bytes(WHOLE + 1)
    (page / "assets/v1/page.js").write_bytes(long)
    got = client.get(f"/{ASSETS}page.js", headers={"Accept-Encoding": "br, gzip"})
    assert got.headers["Content-Encoding"] == "gzip"
    assert got.content == long


def test_who_reads_no_compression_gets_none(client: TestClient, page: Path) -> None:
    got = client.get(f"/{ASSETS}page.js", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in got.headers
    assert got.content == (page / "assets/v1/page.js").read_bytes()


def test_weights_are_not_compressed(client: TestClient) -> None:
    manifest = client.get("/models/tiny/manifest.json").json()
    shard = manifest["tensors"]["embed"]["shards"][0]["file"]
    response = client.get(f"/models/tiny/{shard}")
    assert "Content-Encoding" not in response.headers
    assert response.headers["Content-Length"] == "1024"


def test_only_what_was_built_is_served_beside_the_page(client: TestClient, page: Path) -> None:
    (page / "notes.txt").write_text("private")
    assert client.get("/notes.txt").status_code == 404


def test_nothing_can_be_posted(client: TestClient) -> None:
    for path in ("/", "/models.json", f"/{ASSETS}page.js", "/models/tiny/manifest.json"):
        assert client.post(path).status_code in (404, 405)


def test_health(client: TestClient) -> None:
    response = client.get("/healthz")
    assert response.json() == {"status": "ok", "models": 1}
    assert response.headers["Cache-Control"] == "no-store"


def test_the_reloader_finds_the_models(
    models: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = SiteOptions(servers=("http://localhost:11434",))
    monkeypatch.setenv(server.MODELS_VARIABLE, str(models))
    monkeypatch.setenv(server.OPTIONS_VARIABLE, options.to_json())
    monkeypatch.setattr(server, "find_page", lambda: page)
    with TestClient(app_from_environment()) as client:
        assert client.get("/healthz").json()["models"] == 1
        policy = client.get("/").headers["Content-Security-Policy"]
    assert policy == content_security_policy(options.origins)
