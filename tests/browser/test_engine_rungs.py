"""Where WebGPU cannot be used the model answers through WebAssembly, and it is said why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.engine_page import EnginePage, engine_page
from tests.browser.miniature import continuation, encode
from tests.browser.wasm_miniature import SINGLE, THREADED, WasmMiniature

IDS = encode("hello")
NO_GPU = b"Object.defineProperty(Object.getPrototypeOf(navigator), 'gpu', { value: undefined });"
NO_ADAPTER = b"if (globalThis.GPU) GPU.prototype.requestAdapter = async () => null;"


@dataclass
class Demanding(WasmMiniature):
    """f32 needs more than any device has."""

    def variants(self) -> dict[str, Any]:
        found = super().variants()
        found["f32"]["requires"]["limits"]["maxBufferSize"] = 2**50
        return found


def reasons(info: dict[str, Any]) -> dict[str, list[str]]:
    return {rung["variant"]: rung["reasons"] for rung in info["report"]["rungs"]}


def assert_answers(page: EnginePage) -> None:
    assert page.value("return engine.generate(arg, 8)", IDS) == continuation(IDS, 8)


def test_an_emulated_adapter_is_passed_over(chromium: Browser) -> None:
    with engine_page(chromium, WasmMiniature()) as page:
        info = page.loaded(threads=2)
        assert (info["variant"], info["backend"], info["threads"]) == (THREADED, "wasm", 2)
        assert info["report"]["chosen"] == THREADED
        assert info["report"]["crossOriginIsolated"] is True
        assert info["report"]["webassembly"] == ["simd128", "relaxed-simd", "threads"]
        assert info["report"]["cores"] >= 1
        assert reasons(info)[THREADED] == reasons(info)[SINGLE] == []
        assert "it is passed over" in reasons(info)["f32"][0]
        assert page.report()["chosen"] == THREADED
        assert_answers(page)


@pytest.mark.parametrize(
    ("wish", "variant"),
    [
        ({"backend": "webgpu"}, "f32"),
        ({"variant": "f32"}, "f32"),
        ({"backend": "wasm"}, THREADED),
        ({"variant": SINGLE}, SINGLE),
    ],
)
def test_a_rung_can_be_forced(chromium: Browser, wish: dict[str, str], variant: str) -> None:
    with engine_page(chromium, WasmMiniature()) as page:
        info = page.loaded(**wish)
        assert info["variant"] == variant
        assert info["threads"] >= 1
        assert_answers(page)


def test_a_page_that_is_not_isolated_gets_one_thread(chromium: Browser) -> None:
    with engine_page(chromium, WasmMiniature()) as page:
        page.site.headers = {}
        info = page.loaded(threads=4)
        assert (info["variant"], info["threads"]) == (SINGLE, 1)
        assert reasons(info)[THREADED] == [
            "the page is not cross-origin isolated, so WebAssembly gets one thread here"
        ]
        assert info["report"]["crossOriginIsolated"] is False
        assert "threads" not in info["report"]["webassembly"]
        assert_answers(page)


@pytest.mark.parametrize(
    ("hook", "reason"),
    [(NO_GPU, "this browser does not offer WebGPU"), (NO_ADAPTER, "no usable graphics adapter")],
)
def test_without_webgpu_or_an_adapter(chromium: Browser, hook: bytes, reason: str) -> None:
    with engine_page(chromium, WasmMiniature()) as page:
        for script in ("/engine.js", "/worker.js"):
            page.site.files[script] = hook + page.site.files[script]
        info = page.loaded(threads=2)
        assert info["variant"] == THREADED
        assert info["report"]["adapter"] is None
        (found,) = reasons(info)["f32"]
        assert reason in found
        assert page.report()["chosen"] == THREADED
        assert_answers(page)


def test_an_adapter_whose_limits_are_too_small(chromium: Browser) -> None:
    with engine_page(chromium, Demanding()) as page:
        info = page.loaded(threads=2)
        assert info["variant"] == THREADED
        assert any("maxBufferSize of 1125899906842624" in text for text in reasons(info)["f32"])
        assert_answers(page)
        error = page.refused(backend="webgpu")
    assert error["code"] == "device-too-small"
    assert "maxBufferSize" in error["message"]
    assert THREADED not in error["message"]


def test_memory_that_cannot_be_had_costs_a_rung(chromium: Browser) -> None:
    with engine_page(chromium, WasmMiniature()) as page:
        # Shared memory alone: as if one block of that size were too much.
        page.site.files["/worker.js"] = (
            b"const Memory = WebAssembly.Memory; WebAssembly.Memory = class extends Memory {"
            b"constructor(size) { if (size.shared) throw new RangeError('full'); super(size); } };"
            + page.site.files["/worker.js"]
        )
        info = page.loaded(threads=2)
        assert info["variant"] == SINGLE
        assert "full" in reasons(info)[THREADED][0]
        assert_answers(page)


def test_a_context_beyond_4_gib_names_the_limit(chromium: Browser) -> None:
    with engine_page(chromium, WasmMiniature(context=2**31)) as page:
        error = page.refused(backend="wasm", context=2**30)
    assert error["code"] == "device-too-small"
    assert "takes 8.0 GiB at a context of 1073741824 tokens" in error["message"]
    assert "WebAssembly has 4 GiB" in error["message"]
    assert "a context of at most" in error["message"]
