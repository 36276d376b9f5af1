"""Devices that cannot run anything: each test has a browser of its own, set up to be unable."""

from __future__ import annotations

from tests.browser.engine_page import engine_page
from web.browser import browser


def test_without_webgpu() -> None:
    with browser(webgpu=False) as instance, engine_page(instance) as page:
        error = page.refused()
        assert error["code"] in ("webgpu-unavailable", "no-adapter")
        assert "WebGPU" in error["message"]
        assert page.report()["chosen"] is None


def test_an_insecure_context() -> None:
    rules = "--host-resolver-rules=MAP kiln.test 127.0.0.1"
    with browser(flags=(rules,)) as instance, engine_page(instance) as page:
        page.site.address = page.site.address.replace("127.0.0.1", "kiln.test")
        error = page.refused()
        assert error["code"] == "insecure-context"
        assert "https" in error["hint"]
        found = page.report()
    assert found["secureContext"] is False
    assert found["chosen"] is None
