"""Devices that can do less: each test has a browser of its own, set up to be so."""

from __future__ import annotations

from tests.browser.engine_page import engine_page
from tests.browser.miniature import continuation, encode
from tests.browser.wasm_miniature import SINGLE, THREADED, WasmMiniature
from web.browser import browser


def test_without_webgpu() -> None:
    with browser(webgpu=False) as instance, engine_page(instance) as page:
        error = page.refused()
        assert error["code"] in ("webgpu-unavailable", "no-adapter")
        assert "WebGPU" in error["message"]
        assert page.report()["chosen"] is None


def test_without_webgpu_webassembly_answers() -> None:
    ids = encode("hello")
    with browser(webgpu=False) as instance, engine_page(instance, WasmMiniature()) as page:
        info = page.loaded(threads=2)
        assert info["variant"] == THREADED
        assert page.value("return engine.generate(arg, 8)", ids) == continuation(ids, 8)
        error = page.refused(backend="webgpu")
        assert error["code"] in ("webgpu-unavailable", "no-adapter")


def test_an_insecure_context() -> None:
    rules = "--host-resolver-rules=MAP kiln.test 127.0.0.1"
    with browser(flags=(rules,)) as instance, engine_page(instance, WasmMiniature()) as page:
        page.site.address = page.site.address.replace("127.0.0.1", "kiln.test")
        error = page.refused()
        assert error["code"] == "insecure-context"
        assert "https" in error["hint"]
        found = page.report()
    assert found["secureContext"] is False
    assert found["chosen"] is None
    assert [rung["variant"] for rung in found["rungs"]] == ["f32", THREADED, SINGLE]
    for rung in found["rungs"]:
        (reason,) = rung["reasons"]
        assert "neither WebGPU nor storage" in reason
        assert "hashing" in reason
