"""What the page's policy forbids, tried from inside the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.browser.chat_page import ChatPage, visit
from tests.browser.offline_site import kept
from tests.browser.site import Site, serve
from tests.browser.test_page_ladder import assert_talks
from web.options import SiteOptions
from web.server import create_app
from web.verify import running

# Each tries one thing, and resolves to how it ended: "done" where it worked.
ATTEMPTS = {
    "connect-src": "fetch(arg).then(() => 'done', (e) => e.name)",
    "script-src": """new Promise((end) => {
      const script = document.createElement("script");
      window.ran = () => end("done");
      script.append("window.ran()");
      document.head.append(script);
      setTimeout(() => end("nothing ran"));
    })""",
    "script-src-elem": """new Promise((end) => {
      const script = document.createElement("script");
      script.onload = () => end("done");
      script.onerror = () => end("error");
      try { script.src = `${arg}/x.js`; } catch (e) { return end(e.name); }
      document.head.append(script);
    })""",
    "markup": """(() => {
      const box = document.createElement("div");
      try { box.innerHTML = "<img src=x onerror='window.ran = 1'>"; } catch (e) { return e.name; }
      return "done";
    })()""",
    "handler": """(() => {
      const box = document.createElement("div");
      try { box.setAttribute("onclick", "window.ran = 1"); } catch (e) { return e.name; }
      box.click();
      return window.ran === 1 ? "done" : "nothing ran";
    })()""",
    "worker": """(() => {
      try { new Worker("assets/worker.js"); } catch (e) { return e.name; }
      return "done";
    })()""",
    "policy": """(() => {
      try { trustedTypes.createPolicy("mine", {}); } catch (e) { return e.name; }
      return "done";
    })()""",
    "image": """new Promise((end) => {
      const image = new Image();
      image.onload = () => end("done");
      image.onerror = () => end("error");
      image.src = `${arg}/x.png`;
    })""",
    "frame": """new Promise((end) => {
      document.addEventListener("securitypolicyviolation", (e) => end(e.violatedDirective));
      const frame = document.createElement("iframe");
      frame.src = arg;
      document.body.append(frame);
    })""",
    "form": """new Promise((end) => {
      document.addEventListener("securitypolicyviolation", (e) => end(e.violatedDirective));
      const form = document.createElement("form");
      form.action = arg;
      document.body.append(form);
      form.submit();
    })""",
    "base": """(() => {
      const base = document.createElement("base");
      base.href = arg;
      document.head.append(base);
      return document.baseURI.startsWith(arg) ? "done" : "ignored";
    })()""",
}
VIOLATION = """(arg) => new Promise((end) => {
  addEventListener("securitypolicyviolation", (e) => end(e.violatedDirective));
  fetch(arg).then(() => end("done"), () => {});
})"""
ENDINGS = {
    "connect-src": "TypeError",
    "script-src": "nothing ran",
    "script-src-elem": "TypeError",
    "markup": "TypeError",
    "handler": "TypeError",
    "worker": "TypeError",
    "policy": "TypeError",
    "image": "error",
    "frame": "frame-src",
    "form": "form-action",
    "base": "ignored",
}


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Site]:
    """A server of another origin, which would answer anybody, and is asked nothing."""
    site = Site({"/x.js": b"window.ran()", "/x.png": b""})
    site.headers = {"Access-Control-Allow-Origin": "*"}
    with serve(site):
        yield site
        assert site.hits == {}


@pytest.fixture(scope="module")
def intruder(chromium: Browser, mini_site: str) -> Iterator[ChatPage]:
    """A script that got into the page somehow."""
    with visit(chromium, mini_site) as page:
        page.open()
        yield page


@pytest.mark.parametrize("name", ATTEMPTS)
def test_what_no_script_of_the_page_can_do(intruder: ChatPage, elsewhere: Site, name: str) -> None:
    intruder.page.evaluate("delete window.ran")
    ending = intruder.page.evaluate(f"(arg) => {ATTEMPTS[name]}", elsewhere.address)
    assert ending == ENDINGS[name]


def test_the_worker_reaches_no_other_origin(climber: ChatPage, elsewhere: Site) -> None:
    climber.load()
    violated = climber.worker.evaluate(VIOLATION, elsewhere.address)
    assert violated == "connect-src"


class Switch:
    """An application that is replaced while it is served."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.mark.parametrize("service_workers", ["block", "allow"])
def test_other_origins_reach_those_who_were_here_before(
    chromium: Browser, plain_models: Path, service_workers: str
) -> None:
    """A worker's policy is what came with its script, which the browser has kept."""
    mirror = Site({"/": b"reached"})
    mirror.headers = {"Access-Control-Allow-Origin": "*"}
    served = Switch(create_app(plain_models))
    with (
        serve(mirror),
        running(served) as address,
        visit(chromium, address, service_workers=service_workers) as page,
    ):
        page.climb(backend="wasm")
        page.start()
        assert page.worker.evaluate(VIOLATION, mirror.address) == "connect-src"
        if service_workers == "allow":
            kept(page)
        served.app = create_app(plain_models, options=SiteOptions(mirrors=(mirror.address + "/",)))
        page.page.reload()
        if service_workers == "allow":
            with page.page.expect_event("load"):
                page.get("update-now").click()
        expect(page.get("input")).to_be_visible()  # a model that is known loads by itself
        assert page.worker.evaluate(VIOLATION, mirror.address) == "done"


def test_a_script_in_the_html_does_not_run(chromium: Browser, mini_site: str) -> None:
    """Neither as an element nor as an attribute, were somebody able to write into the page."""
    with visit(chromium, mini_site) as page:

        def inject(route: Any) -> None:
            response = route.fetch()
            evil = "<script>window.ran = 1</script><img src=data:, onerror='window.ran = 1'>"
            route.fulfill(
                response=response, body=response.text().replace("<main>", evil + "<main>")
            )

        page.context.route(f"{mini_site}/?*", inject)
        page.load()
        assert page.page.evaluate("window.ran") is None
        refused = [problem for problem in page.problems if "script-src" in problem]
        assert len(refused) >= 2
        page.problems.clear()
        assert_talks(page)
        page.assert_clean()
