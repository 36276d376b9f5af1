"""The page is opened for the first time, and answers before anything large is fetched."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.offline_site import arrive, kept
from tests.browser.privacy import PrivacyPanel, network
from tests.walk.journey import Journey


def opens_the_page(journey: Journey) -> None:
    """A host that sends no headers has the page opened once more, by the service worker."""
    if journey.place.isolates:
        journey.chat.climb(**journey.query)
    else:
        arrive(journey.chat, **journey.query)
    expect(journey.get("load")).to_be_enabled()
    assert journey.chat.page.evaluate("crossOriginIsolated") is True


def reads_the_start_card(journey: Journey) -> None:
    chat = journey.chat
    expect(chat.page.locator("#start")).to_contain_text("Nothing you type leaves this tab.")
    expect(journey.get("model-name")).to_have_text("large")
    expect(journey.get("model-size")).to_contain_text("downloaded once")
    if journey.backend == "webgpu":
        chat.expect_card("graphics card (WebGPU)", "This page's address asks for it")
    else:
        chat.expect_card("processor (WebAssembly)", "emulated in software", "WebAssembly is faster")
    journey.get("checked").locator("summary").click()
    expect(journey.get("checked")).to_contain_text("Cross-origin isolated")
    assert chat.requested("weights") == []


def is_told_whether_the_page_is_kept(journey: Journey) -> None:
    """At once where threads need the service worker; else the model goes first."""
    if journey.place.isolates:
        said = "Kept for use without a network as soon as a model is ready."
    else:
        kept(journey.chat)
        said = "This page works without a network"
    journey.get("settings").click()
    expect(journey.get("offline-state")).to_contain_text(said)
    journey.get("settings-close").click()


def sees_every_request_so_far(journey: Journey) -> None:
    panel = PrivacyPanel(journey.chat)
    panel.open("privacy-start")
    expect(panel.summary).to_contain_text("all to this site; nothing you typed was sent.")
    assert panel.addresses().keys() <= network(journey.chat).keys()
    expect(journey.get("privacy-origins")).to_contain_text("server, only if you choose it")
    panel.close()


STEPS = [
    opens_the_page,
    reads_the_start_card,
    is_told_whether_the_page_is_kept,
    sees_every_request_so_far,
]
