"""What goes wrong with devices and workers: one clear typed error each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.engine_page import ANSWER, EnginePage, ask, engine_page
from tests.browser.miniature import MODEL, SAMPLE, Miniature


@pytest.fixture
def hooked(chromium: Browser) -> Iterator[EnginePage]:
    with engine_page(chromium, Miniature(stop_tokens=[]), hooks=True) as page:
        page.loaded(context=4096)
        yield page


def during_generation(page: EnginePage, order: str) -> dict[str, str]:
    """Sends `order` to the worker once tokens flow; the error of the answer under way."""
    return page.error(ANSWER, {"orders": [[1, order]], "request": ask("b", 4000)})


def test_the_check_reports_the_device_without_loading(chromium: Browser) -> None:
    with engine_page(chromium) as page:
        page.open()
        found = page.report()
        loaded = [path for path in page.site.hits if path.startswith(MODEL)]
    assert loaded == [f"{MODEL}/manifest.json"]
    assert found["chosen"] == "f32"
    assert found["adapter"]["fallback"] is True
    assert "subgroups" in found["features"]
    assert found["limits"]["maxBufferSize"] >= 2**28
    (rung,) = found["rungs"]
    assert rung["usable"]
    assert "software" in rung["reasons"][0]


def test_a_kernel_that_does_not_compile_is_named(chromium: Browser) -> None:
    broken = Miniature()
    broken.kernels["sample"] = SAMPLE.replace("var best = 0;", "var best = nothing;")
    with engine_page(chromium, broken) as page:
        error = page.refused()
    assert error["code"] == "gpu-validation"
    assert "kernel sample" in error["message"]
    assert "nothing" in error["message"]


def test_a_kernel_that_breaks_its_contract_is_named(chromium: Browser) -> None:
    broken = Miniature()
    broken.kernels["sample"] = SAMPLE.replace(
        "var<storage, read> logits", "var<storage, read_write> logits"
    )
    with engine_page(chromium, broken) as page:
        error = page.refused()
    assert error["code"] == "gpu-validation"
    assert "kernel sample" in error["message"]


def test_a_context_too_large_for_the_device(chromium: Browser) -> None:
    with engine_page(chromium, Miniature(context=2**31)) as page:
        error = page.refused(context=2**30)
    assert error["code"] == "device-too-small"
    assert "context of at most" in error["hint"]


def test_a_device_without_memory_left(chromium: Browser) -> None:
    with engine_page(chromium) as page:
        # Truly filling the memory would take other tests with it: the scope says it is full.
        page.site.files["/worker.js"] = (
            b"GPUDevice.prototype.popErrorScope = async () => new GPUOutOfMemoryError('full');"
            + page.site.files["/worker.js"]
        )
        error = page.refused()
    assert error["code"] == "out-of-memory"
    assert "context of 512" in error["message"]


def test_a_context_the_model_was_not_made_for(chromium: Browser) -> None:
    with engine_page(chromium) as page:
        error = page.refused(context=5000)
    assert error["code"] == "bad-request"
    assert "4096" in error["message"]


def test_a_forced_variant_must_exist(chromium: Browser) -> None:
    with engine_page(chromium) as page:
        page.loaded(variant="f32")
        error = page.refused(variant="f16")
    assert error["code"] == "bad-request"
    assert "f32" in error["message"]


def test_a_worker_that_ends_silently_is_noticed(hooked: EnginePage) -> None:
    assert during_generation(hooked, "end worker")["code"] == "worker-lost"
    assert hooked.error("return engine.tokenize('x')")["code"] == "worker-lost"


def test_a_worker_that_cannot_start_is_reported(chromium: Browser) -> None:
    with engine_page(chromium) as page:
        del page.site.files["/worker.js"]
        assert page.refused()["code"] == "worker-lost"


def test_a_disposed_engine_says_so(chromium: Browser) -> None:
    with engine_page(chromium) as page:
        page.loaded()
        error = page.error("await engine.dispose(); return engine.generate([1], 1)")
    assert error["code"] == "bad-request"
    assert "disposed" in error["message"]
