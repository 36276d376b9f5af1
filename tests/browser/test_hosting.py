"""The exported site where people put it: under a path of a plain host, and of nginx."""

from __future__ import annotations

import gzip
import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_page import ChatPage, visit
from tests.browser.hosts import BASE_PATH, export, nginx, python_server
from tests.browser.offline_site import write_models
from tests.browser.test_page_ladder import CARD, assert_talks, threads
from tests.unit.web.conftest import build
from web.built import Built
from web.export import export_site
from web.headers import IMMUTABLE, security_headers
from web.models import Models
from web.options import SiteOptions
from web.site import Site

NEIGHBOUR = SiteOptions(base_path="/some/site.two/", mirrors=("https://mirror.example.net/",))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def root(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the hosts serve; the site lies somewhere below."""
    root = tmp_path_factory.mktemp("root")
    export(models, root)
    (root / "foreign.html").write_text("<!doctype html><title>Somebody else's</title>")
    return root


@pytest.fixture(scope="module")
def neighbour(models: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another site on the same host, which may ask another origin; its folder."""
    dist = tmp_path_factory.mktemp("dist")
    build(dist, "v1", {"assets/v1/page.js": "page", "engine.js": "engine"})
    export_site(Site(Models(models), Built(dist), NEIGHBOUR), root / "some" / "site.two")
    return root / "some" / "site.two"


@pytest.fixture(scope="module")
def plain(root: Path) -> Iterator[str]:
    with python_server(root) as address:
        yield address


@pytest.fixture(scope="module")
def configured(root: Path, neighbour: Path) -> Iterator[str]:
    with nginx(root, root / BASE_PATH.strip("/"), neighbour) as address:
        yield address


@pytest.fixture(params=["plain", "configured"])
def visitor(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[ChatPage]:
    """Somebody on either host."""
    address = request.getfixturevalue(request.param)
    with visit(chromium, address + BASE_PATH.rstrip("/")) as page:
        yield page
        page.assert_clean()


def test_a_conversation_on_the_graphics_card(visitor: ChatPage) -> None:
    visitor.load()
    visitor.expect_running(CARD)
    assert_talks(visitor)
    home = visitor.address + "/"
    assert [url for url in visitor.requests if not url.startswith((home, "data:", "blob:"))] == []


def test_a_conversation_on_the_processor(visitor: ChatPage) -> None:
    visitor.climb(backend="wasm")
    visitor.start()
    expect(visitor.get("rung")).to_have_text("Processor · WebAssembly")
    assert_talks(visitor)


def test_threads_where_the_host_isolates(chromium: Browser, configured: str) -> None:
    with visit(chromium, configured + BASE_PATH.rstrip("/")) as page:
        page.climb(backend="wasm")
        page.start()
        assert page.page.evaluate("crossOriginIsolated") is True
        page.expect_running(threads(2))
        page.assert_clean()


def test_one_thread_where_nothing_isolates(chromium: Browser, plain: str) -> None:
    context = chromium.new_context(service_workers="block")
    try:
        page = ChatPage(context, plain + BASE_PATH.rstrip("/"))
        page.climb(backend="wasm")
        page.start()
        assert page.page.evaluate("crossOriginIsolated") is False
        page.expect_running(threads(1))
        assert page.strangers() == []
    finally:
        context.close()


def test_the_policy_holds_without_headers(chromium: Browser, plain: str) -> None:
    """By <meta>: another origin is refused, and what has no name cannot run."""
    with visit(chromium, plain + BASE_PATH.rstrip("/")) as page:
        page.open()
        expect(page.get("load")).to_be_enabled()
        outcome = page.page.evaluate("fetch('http://127.0.0.2:9/').then(() => 'sent', String)")
        assert "Failed to fetch" in outcome
        assert any("connect-src" in problem for problem in page.problems)


def _get(
    address: str, path: str, base_path: str = BASE_PATH, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Without any client's own ideas of compression; names of headers in small letters."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=20)
    try:
        connection.request("GET", base_path + path, headers=headers)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, found, response.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def paths(root: Path) -> dict[str, Any]:
    """Every file of the export, by its path."""
    found = json.loads((root / BASE_PATH.strip("/") / "files.json").read_bytes())["files"]
    return {path: entry for path, entry in found.items() if not path.endswith((".gz", ".br"))}


def test_nginx_serves_every_file_with_its_headers(
    configured: str, root: Path, paths: dict[str, Any]
) -> None:
    expected = security_headers(SiteOptions(base_path=BASE_PATH))
    hashed = re.compile(r"assets/|models/[^/]+/(plans|kernels|weights|tokenizer)/")
    for path in paths:
        status, headers, body = _get(configured, path)
        assert (path, status) == (path, 200)
        assert body == (root / BASE_PATH.strip("/") / path).read_bytes()
        assert {name: headers.get(name.lower()) for name in expected} == expected
        assert headers["cache-control"] == (IMMUTABLE if hashed.match(path) else "no-cache")
        assert "etag" in headers


def test_nginx_keeps_the_sites_of_a_server_apart(configured: str) -> None:
    """And whatever else it serves is as it was."""
    for options in (SiteOptions(base_path=BASE_PATH), NEIGHBOUR):
        home = options.base_path
        expected = security_headers(options)
        for path, status in [("index.html", 200), ("engine.js", 200), ("nothing", 404)]:
            found, headers, body = _get(configured, path, home)
            assert (home, path, found) == (home, path, status)
            assert {name: headers.get(name.lower()) for name in expected} == expected
        assert f'<a href="{home}">'.encode() in body
    path = next(path for path in _listed(configured, NEIGHBOUR) if path.startswith("assets/"))
    assert _get(configured, path, NEIGHBOUR.base_path)[1]["cache-control"] == IMMUTABLE
    status, headers, _ = _get(configured, "foreign.html", "/")
    assert (status, headers["content-type"]) == (200, "text/html")
    ours = {name.lower() for name in security_headers(NEIGHBOUR)} | {"cache-control"}
    assert not ours & headers.keys()
    assert b"nginx" in _get(configured, "nothing", "/")[2]  # its own page, not ours


def _listed(address: str, options: SiteOptions) -> list[str]:
    found = json.loads(_get(address, "app.json", options.base_path)[2])
    return list(found["files"])


TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".wgsl": "text/plain; charset=utf-8",
    ".bin": "application/octet-stream",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
}


def test_nginx_knows_the_types(configured: str, paths: dict[str, Any]) -> None:
    for suffix, kind in TYPES.items():
        path = next(path for path in paths if path.endswith(suffix))
        assert (suffix, _get(configured, path)[1]["content-type"]) == (suffix, kind)


def test_nginx_sends_twins_ranges_and_nothing_twice(configured: str, root: Path) -> None:
    site = root / BASE_PATH.strip("/")
    packed = {"Accept-Encoding": "gzip"}
    _, headers, body = _get(configured, "index.html", **packed)
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == (site / "index.html").read_bytes()
    weights = "models/mini/weights/a.bin"
    _, headers, body = _get(configured, weights, **packed)
    assert "content-encoding" not in headers
    whole = (site / weights).read_bytes()
    assert body == whole
    status, headers, body = _get(configured, weights, Range="bytes=3-6")
    assert (status, body) == (206, whole[3:7])
    assert headers["content-range"] == f"bytes 3-6/{len(whole)}"
    assert _get(configured, weights, Range="bytes=99-")[0] == 416
    tag = _get(configured, weights)[1]["etag"]
    assert _get(configured, weights, **{"If-None-Match": tag})[0] == 304


def test_nginx_says_what_is_not_there_and_lets_nobody_keep_it(configured: str) -> None:
    for path in ("nothing", "assets/v/nothing.js", "models/mini/weights/none.bin"):
        status, headers, body = _get(configured, path)
        assert status == 404
        assert f'<a href="{BASE_PATH}">'.encode() in body
        assert "cache-control" not in headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
    for path in ("../secret", "%2e%2e/%2e%2e/%2e%2e/etc/passwd", "..%2f..%2f..%2fetc/passwd"):
        assert _get(configured, path)[0] in (400, 404)
