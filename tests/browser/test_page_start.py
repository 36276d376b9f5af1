"""What the start card tells a visitor before anything is loaded."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.chat_page import ChatPage, visit
from tests.browser.conversations import Panel
from tests.browser.scripted import say
from web.verify import serving

NOTHING = """
Object.defineProperty(navigator, "gpu", { value: undefined });
WebAssembly.validate = () => false;"""


def test_device_that_can_run_it_in_no_way(climber: ChatPage) -> None:
    climber.inject(NOTHING)
    climber.climb()
    climber.expect_refusal(
        "This device cannot run the model",
        "This browser does not offer WebGPU, or it is switched off.",
        "This browser's WebAssembly lacks vectors (simd128)",
        "another browser",
    )


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
    visitor.expect_refusal("This model has no variant f64", "(variant=f64)")
    visitor.climb(backend="cloud", threads="two")
    expect(notice).to_contain_text("backend=cloud is not webgpu or wasm; it is left out.")
    expect(notice).to_contain_text("threads=two is not a whole number of threads")
    expect(visitor.get("load")).to_be_enabled()


def test_people_stay_where_they_are(chromium: Browser, mini_site: str) -> None:
    """While a model loads and answers, whoever is in the list of conversations is left there."""
    with visit(chromium, mini_site) as chat:
        say(chat, "Clay is fine earth. " * 400, per_second=20)
        chat.climb(threads="two")
        expect(chat.get("load")).to_be_enabled()
        chat.page.evaluate("() => { held = new Promise((resolve) => { release = resolve; }); }")
        chat.get("load").click()
        panel = Panel(chat.page)
        panel.open()
        search = panel.get("history-search")
        search.click()
        chat.page.evaluate("release()")
        expect(chat.get("input")).to_be_visible()
        expect(search).to_be_focused()
        # What the address got wrong is told as long as nothing else is to be said.
        expect(chat.page.locator("#notice")).to_contain_text("threads=two is not")
        chat.send("What is clay?")
        chat.started()
        search.click()
        chat.page.keyboard.press("Escape")
        expect(panel.get("history-dialog")).to_be_hidden()
        answer = chat.get("message-assistant")
        expect(answer).to_have_attribute("data-state", "busy")
        chat.page.keyboard.press("Escape")
        expect(answer).to_have_attribute("data-state", "done")
        expect(chat.get("finish-note")).to_have_text("You stopped this answer.")
        expect(chat.page.locator("#announcer")).to_contain_text("You stopped this answer.")
        chat.assert_clean()


def test_site_without_models(tmp_path: Path, chromium: Browser) -> None:
    with serving(tmp_path) as address, visit(chromium, address) as chat:
        chat.open()
        expect(chat.page.locator("#notice")).to_contain_text("The site serves no bundle")
        expect(chat.get("load")).to_be_disabled()
        chat.assert_clean()
