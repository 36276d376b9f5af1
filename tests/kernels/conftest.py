"""Kernels run in a real browser, on each target; one browser serves all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from compiler.kernels.gpu.language import BASE, HALF, Language
from tests.support.gpu import Gpu
from tests.support.half import EMULATED
from tests.support.tiers import thin_out
from tests.support.wasm import Wasm
from web.browser import browser

LANGUAGES = {
    "webgpu": BASE,
    "webgpu-subgroups": Language(subgroups=True),
    "webgpu-f16": Language(half=HALF),
    "webgpu-f16-subgroups": Language(subgroups=True, half=HALF),
    "webgpu-f16-emulated": EMULATED,
}


@pytest.hookimpl(tryfirst=True)  # before pytest looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    thin_out(items, Path(__file__).parent, ["machine", "each_gpu"], every=6)


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
    return _gpu(chromium, request.param)


@pytest.fixture(scope="package")
def wasm(chromium: Browser) -> Wasm:
    return Wasm(chromium, ["simd128"])


@pytest.fixture(scope="package", params=[*LANGUAGES, "wasm", "wasm-relaxed"])
def machine(request: pytest.FixtureRequest, chromium: Browser) -> Gpu | Wasm:
    """Every target in turn."""
    if request.param in LANGUAGES:
        return _gpu(chromium, request.param)
    features = ["simd128", "relaxed-simd"] if "relaxed" in request.param else ["simd128"]
    return Wasm(chromium, features)


def _gpu(chromium: Browser, name: str) -> Gpu:
    gpu = Gpu(chromium, LANGUAGES[name])
    if (missing := gpu.lacks) is not None:
        pytest.skip(f"this adapter has no {missing}")
    return gpu
