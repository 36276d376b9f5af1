"""Kernels tuned for the adapter's vendor: used, left aside, and given up for those for any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.engine_page import EnginePage, engine_page
from tests.browser.miniature import KERNELS, Miniature, continuation, encode, selftest

IDS = encode("hello")
VENDOR = "google"  # SwiftShader's
WRONG = {**KERNELS, "sum": KERNELS["sum"].replace("stride[0] +", "")}
BROKEN = {**KERNELS, "sum": "@compute @workgroup_size(1) fn sum() { nothing(); }"}


@dataclass
class Tuned(Miniature):
    """f32 has kernels for the vendor: those of `ahead`."""

    def variants(self) -> dict[str, Any]:
        found = super().variants()
        tuned = found.pop("tuned")
        found["f32"]["tuned"] = {
            VENDOR: {"plan": tuned["plan"], "kernels": tuned["kernels"], "selftest": [selftest()]}
        }
        return found


def loaded(page: EnginePage, **options: Any) -> dict[str, Any]:
    info = page.loaded(variant="f32", **options)
    assert page.value("return engine.generate(arg, 8)", IDS) == continuation(IDS, 8)
    return info


def test_those_of_the_adapters_vendor_run(chromium: Browser) -> None:
    with engine_page(chromium, Tuned(ahead={"tuned": KERNELS})) as page:
        info = loaded(page)
        assert (info["variant"], info["tuned"], info["notes"]) == ("f32", VENDOR, [])


def test_they_can_be_left_aside(chromium: Browser) -> None:
    with engine_page(chromium, Tuned(ahead={"tuned": BROKEN})) as page:
        info = loaded(page, tuned=False)
        assert (info["tuned"], info["notes"]) == (None, [])


@pytest.mark.parametrize("kernels", [WRONG, BROKEN], ids=["wrong", "broken"])
def test_where_they_fail_those_for_any_device_run(
    chromium: Browser, kernels: dict[str, str]
) -> None:
    with engine_page(chromium, Tuned(ahead={"tuned": kernels})) as page:
        info = loaded(page)
        assert (info["variant"], info["tuned"]) == ("f32", None)
        (note,) = info["notes"]
        assert "Kernels tuned for google do not hold here" in note
