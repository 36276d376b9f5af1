"""The engine in pages that are not its site's, and models that lie on other origins."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.hosts import export, python_server
from tests.browser.offline_site import write_models
from tests.browser.site import Site, folder_files, serve
from web.headers import security_headers
from web.options import SiteOptions

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = (DOCS / "examples" / "minimal.html").read_text()
HERE = "https://chat.example.org"  # the engine's site, in the example
MODEL = "models/smollm2-135m-instruct/"  # there
BELOW = "/some/where/"
SCRIPT = re.compile(r'<script type="module">(.*?)</script>', re.DOTALL)
TRUSTED = "; require-trusted-types-for 'script'; trusted-types webkiln-engine"
# Ends up in the document, which tests can wait for under any policy.
NOTE_FAULTS = """
const note = (fault) => {
  document.documentElement.dataset.hint = fault.hint ?? "";
  document.documentElement.dataset.ended = String(fault);
};
addEventListener("unhandledrejection", ({ reason }) => note(reason));
addEventListener(
  "error", ({ error, message }) => note(error ?? message ?? "a file did not load"), true);
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def shared(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An exported site with the headers it asks its host for; its address, below a path."""
    options = SiteOptions(base_path=BELOW, shared=True)
    folder = export(models, tmp_path_factory.mktemp("shared"), options)
    site = Site(folder_files(folder, BELOW.rstrip("/")))
    site.headers = security_headers(options)
    with serve(site):
        yield site.address + BELOW.rstrip("/")


def example(engine: str, model: str, **options: str) -> str:
    """The example as people adapt it, which says when it is through, and what it runs on."""
    given = "".join(f', {name}: "{value}"' for name, value in options.items())
    page = EXAMPLE.replace(f'"{HERE}/engine.js"', f'"{engine}"')
    page = page.replace(f'"{HERE}/{MODEL}" }}', f'"{model}"{given} }}')
    page = page.replace("stream: true", "stream: true, temperature: 0, max_tokens: 8")
    page = page.replace("  const answer", "  window.info = engine.info;\n  const answer")
    page = page.replace(
        "</script>", '  document.documentElement.dataset.ended = "well";\n</script>'
    )
    assert HERE not in page
    return page


def policy(page: str, engine: str) -> str:
    """The one that the docs give, for the example's inline script too."""
    [given] = re.findall(r"^script-src E .*$", (DOCS / "other-sites.md").read_text(), re.MULTILINE)
    origin = re.match(r"https?://[^/]+", engine)
    assert origin is not None
    [script] = SCRIPT.findall(page)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = re.sub(r"\bE\b", origin[0], given)
    allowed = allowed.replace("script-src", f"script-src 'sha256-{digest}'")
    return f"default-src 'none'; {allowed}"


def forbidding(page: str, engine: str) -> str:
    """The same without leave for workers from blobs."""
    return policy(page, engine).replace("worker-src blob:", "worker-src")


@contextmanager
def opened(chromium: Browser, address: str) -> Iterator[Page]:
    context = chromium.new_context(service_workers="block")
    try:
        page = context.new_page()
        page.add_init_script(NOTE_FAULTS)
        page.goto(address)
        yield page
    finally:
        context.close()


def answered(page: Page) -> tuple[str, str, int]:
    """What the example wrote, the variant and its threads."""
    expect(page.locator("html")).to_have_attribute("data-ended", re.compile("."))
    expect(page.locator("html")).to_have_attribute("data-ended", "well", timeout=1)
    text = page.locator("#answer").inner_text()
    variant, threads = page.evaluate("[info.variant, info.threads]")
    return text, variant, threads


VARIANTS = {"f32": {"variant": "f32"}, "wasm": {"backend": "wasm"}}


@pytest.mark.parametrize("name", VARIANTS)
def test_on_the_site_itself(chromium: Browser, models: Path, tmp_path: Path, name: str) -> None:
    """Below a path of a plain host, with relative addresses as the docs give them."""
    folder = export(models, tmp_path, SiteOptions(base_path=BELOW))
    page = example("./engine.js", "models/mini/", **VARIANTS[name])
    (folder / "minimal.html").write_text(page)
    with (
        python_server(tmp_path) as address,
        opened(chromium, f"{address}{BELOW}minimal.html") as shown,
    ):
        text, variant, _ = answered(shown)
        assert len(text) == 8
        assert variant == name


@pytest.mark.parametrize("isolated", [True, False], ids=["isolated", "plain"])
@pytest.mark.parametrize("name", VARIANTS)
def test_on_another_origin(chromium: Browser, shared: str, name: str, isolated: bool) -> None:
    """With the policy of the docs and Trusted Types; with threads where the page is isolated."""
    page = example(f"{shared}/engine.js", f"{shared}/models/mini/", **VARIANTS[name])
    site = Site({"/": page.encode()}, isolated=isolated)
    rules = policy(page, shared) + TRUSTED
    site.headers = {**site.headers, "Content-Security-Policy": rules}
    with serve(site), opened(chromium, site.address) as shown:
        text, variant, threads = answered(shown)
        assert len(text) == 8
        assert shown.evaluate("crossOriginIsolated") is isolated
        expected = {"f32": "f32", "wasm": "wasm-threads" if isolated else "wasm"}
        assert variant == expected[name]
        assert (threads > 1) is (name == "wasm" and isolated)
        assert set(site.hits) <= {"/", "/favicon.ico"}


def test_a_page_that_forbids_the_worker_is_told_what_to_allow(
    chromium: Browser, shared: str
) -> None:
    page = example(f"{shared}/engine.js", f"{shared}/models/mini/", backend="wasm")
    site = Site({"/": page.encode()})
    site.headers = {**site.headers, "Content-Security-Policy": forbidding(page, shared)}
    with serve(site), opened(chromium, site.address) as shown:
        expect(shown.locator("html")).to_have_attribute("data-ended", re.compile("could not be"))
        hint = shown.locator("html").get_attribute("data-hint")
        origin = re.match(r"https?://[^/]+", shared)
        assert hint
        assert origin
        assert f"worker-src blob: {origin[0]}" in hint
