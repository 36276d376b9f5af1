"""What the start card tells a visitor before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_page import ChatPage, visit
from web.verify import serving

NO_GPU = "Object.defineProperty(Navigator.prototype, 'gpu', { value: undefined });"
NO_ADAPTER = "GPU.prototype.requestAdapter = async () => null;"
SMALL = """
Object.defineProperty(GPUSupportedLimits.prototype, "maxBufferSize", { get: () => 1024 });
Object.defineProperty(GPUSupportedLimits.prototype, "maxComputeInvocationsPerWorkgroup", {
  get: () => 16,
});"""


@pytest.mark.parametrize(
    ("script", "title", "reason", "remedy"),
    [
        (
            NO_GPU,
            "WebGPU is not available here",
            "This browser does not offer WebGPU, or it is switched off.",
            "Use a recent Chrome, Edge, Firefox or Safari",
        ),
        (
            NO_ADAPTER,
            "WebGPU is not available here",
            "WebGPU found no usable graphics adapter",
            "update the graphics driver",
        ),
        (
            SMALL,
            "This device cannot run the model",
            "this device offers 16",
            "Choose a smaller model",
        ),
    ],
    ids=["no-webgpu", "no-adapter", "too-small"],
)
def test_device_is_refused(
    visitor: ChatPage, script: str, title: str, reason: str, remedy: str
) -> None:
    visitor.context.add_init_script(script)
    visitor.open()
    visitor.expect_refusal(title, reason, remedy)


def test_address_asks_for_what_is_not_there(visitor: ChatPage) -> None:
    visitor.open(model="other")
    notice = visitor.page.locator("#notice")
    expect(notice).to_contain_text("There is no other here.")
    expect(notice).to_contain_text("This site has: tiny.")
    expect(visitor.get("load")).to_be_disabled()
    visitor.open(context="many")
    expect(notice).to_contain_text("context=many is not a whole number")
    expect(visitor.get("load")).to_be_enabled()
    visitor.open(context="999999")
    visitor.expect_notice("bad-request", "at most 2048 tokens", "Choose a smaller context")
    expect(visitor.get("load")).to_be_disabled()
    visitor.open(variant="f64")
    expect(visitor.get("load")).to_be_disabled()


def test_software_adapter_is_named(visitor: ChatPage) -> None:
    """Chosen only on request, and said to be slow."""
    visitor.open()
    expect(visitor.get("device")).to_contain_text("emulated in software: it works, but slowly")
    expect(visitor.get("load")).to_be_enabled()


def test_site_without_models(tmp_path: Path, chromium: Browser) -> None:
    with serving(tmp_path) as address, visit(chromium, address) as chat:
        chat.open()
        expect(chat.page.locator("#notice")).to_contain_text("The site serves no bundle")
        expect(chat.get("load")).to_be_disabled()
        chat.assert_clean()
