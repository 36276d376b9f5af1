"""Sites whose models lie on other origins: `--models-url` and `--mirror`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_page import ChatPage, visit
from tests.browser.offline_site import write_models
from tests.browser.site import Site, folder_files, serve
from tests.browser.test_page_ladder import assert_talks
from web.options import site_options
from web.server import create_app
from web.verify import running

SHARED = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("bundles"))


@contextmanager
def elsewhere(models: Path, headers: dict[str, str]) -> Iterator[Site]:
    """Bundles and nothing else, on an origin of their own."""
    site = Site(folder_files(models, "/weights"))
    site.headers = headers
    with serve(site):
        yield site


@contextmanager
def visiting(chromium: Browser, models: Path, first: Site, *mirrors: Site) -> Iterator[ChatPage]:
    """Somebody at a site that has the page alone."""
    options = site_options(
        models_url=f"{first.address}/weights",
        mirrors=[f"{mirror.address}/weights" for mirror in mirrors],
    )
    with (
        running(create_app(models, options=options)) as address,
        visit(chromium, address) as page,
    ):
        yield page
        assert not [url for url in page.requests if url.startswith(f"{address}/models/")]


@pytest.mark.parametrize("resources", ["cross-origin", "same-origin"])
def test_with_cors(chromium: Browser, models: Path, resources: str) -> None:
    """The page is isolated. Whatever CORP says: the engine asks with CORS."""
    headers = {**SHARED, "Cross-Origin-Resource-Policy": resources}
    with elsewhere(models, headers) as first, visiting(chromium, models, first) as page:
        page.load()
        assert page.page.evaluate("crossOriginIsolated") is True
        assert_talks(page)
        assert page.problems == []
        assert first.hits["/weights/mini/weights/a.bin"] == 1


def test_without_cors(chromium: Browser, models: Path) -> None:
    """Browsers do not say why; the page says what to look for, once."""
    with elsewhere(models, {}) as first, visiting(chromium, models, first) as page:
        page.open()
        header = f"Access-Control-Allow-Origin: {page.address}"
        page.expect_notice("network", first.address, header)
        expect(page.page.locator("#notice")).to_have_count(1)
        expect(page.get("input")).to_be_hidden()
        first.headers = SHARED  # which somebody has put right by now
        page.load()
        assert_talks(page)


@pytest.mark.parametrize("fault", ["without CORS", "without files"])
def test_a_mirror_where_the_first_is_broken(chromium: Browser, models: Path, fault: str) -> None:
    with (
        elsewhere(models, {} if fault == "without CORS" else SHARED) as first,
        elsewhere(models, SHARED) as mirror,
        visiting(chromium, models, first, mirror) as page,
    ):
        if fault == "without files":
            first.files.clear()
        page.load()
        assert_talks(page)
        assert mirror.hits["/weights/mini/weights/a.bin"] == 1
        assert mirror.hits["/weights/mini/manifest.json"] >= 1
