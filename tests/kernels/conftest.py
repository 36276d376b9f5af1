"""Kernels run in a real browser, on each target; one browser serves all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from compiler.kernels.gpu.language import BASE, Language
from tests.support.gpu import Gpu
from tests.support.wasm import Wasm
from web.browser import browser

LANGUAGES = {"webgpu": BASE, "webgpu-subgroups": Language(subgroups=True)}


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with browser() as instance:
        yield instance


@pytest.fixture(scope="package")
def gpu(chromium: Browser) -> Gpu:
    return Gpu(chromium)


@pytest.fixture(scope="package", params=LANGUAGES)
def each_gpu(request: pytest.FixtureRequest, chromium: Browser) -> Gpu:
    """WebGPU in every language of its kernels in turn."""
    return Gpu(chromium, LANGUAGES[request.param])


@pytest.fixture(scope="package")
def wasm(chromium: Browser) -> Wasm:
    return Wasm(chromium, ["simd128"])


@pytest.fixture(scope="package", params=[*LANGUAGES, "wasm", "wasm-relaxed"])
def machine(request: pytest.FixtureRequest, chromium: Browser) -> Gpu | Wasm:
    """Every target in turn."""
    if request.param in LANGUAGES:
        return Gpu(chromium, LANGUAGES[request.param])
    features = ["simd128", "relaxed-simd"] if "relaxed" in request.param else ["simd128"]
    return Wasm(chromium, features)
