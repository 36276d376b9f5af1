"""The page in French and Italian: no English is left; how a language is chosen."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_page import ChatPage, edit_manifest, visit
from tests.browser.conftest import ANSWER

WORDS = Path(__file__).parents[1] / "support" / "words.mjs"
LONG = 12  # characters from which a piece of English is looked for inside other texts

# What is shown or spoken, but for the model's own words and what is marked as English.
SHOWN = """() => {
  const foreign = "[lang=en], .bubble, .answer-body, #model-select, #model-name, script, style";
  const shown = (node) => node.checkVisibility({ visibilityProperty: true });
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!parent.closest(foreign) && shown(parent)) texts.push(node.textContent);
  }
  for (const node of document.querySelectorAll("[aria-label], [title], [placeholder]")) {
    if (node.closest(foreign) || !shown(node)) continue;
    texts.push(node.ariaLabel, node.title, node.placeholder);
  }
  return texts.filter((text) => /\\p{L}/u.test(text ?? "")).map((text) => text.trim());
}"""
# Whether the page was ever seen in another language than the one it ends in.
WATCH_LANGUAGE = """
window.seen = new Set();
const look = () => {
  const { body, documentElement } = document;
  if (body && getComputedStyle(body).visibility === "visible") seen.add(documentElement.lang);
  requestAnimationFrame(look);
};
look();"""
REAL_CARD = """
Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", { get: () => false });"""


@cache
def pieces(language: str) -> frozenset[str]:
    printed = subprocess.run(["node", WORDS, language], check=True, capture_output=True).stdout
    return frozenset(json.loads(printed))


def english_left(chat: ChatPage, language: str) -> list[str]:
    """Texts on the page that are, or hold, English ones which the language has another word for."""
    english = pieces("en") - pieces(language)
    inside = re.compile("|".join(re.escape(each) for each in english if len(each) >= LONG))
    shown: list[str] = chat.page.evaluate(SHOWN)
    assert shown
    return [text for text in shown if text in english or inside.search(text)]


@pytest.fixture(params=["fr", "it"])
def foreigner(chromium: Browser, mini_site: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Somebody whose browser prefers another language; and that language."""
    with visit(chromium, mini_site, locale=f"{request.param}-CH") as page:
        yield page, request.param
        page.assert_clean()


def test_no_english_is_left(foreigner: tuple[ChatPage, str]) -> None:
    """From the start card through an answer to the panels, and never for a moment."""
    chat, language = foreigner
    chat.context.add_init_script(WATCH_LANGUAGE)
    chat.climb(backend="wasm", threads="2", nonsense="", context="300")
    expect(chat.get("load")).to_be_enabled()
    assert english_left(chat, language) == []
    chat.get("checked").locator("summary").click()
    assert english_left(chat, language) == []
    chat.start()
    assert english_left(chat, language) == []  # the welcome
    chat.configure(temperature=0, max_tokens=ANSWER)
    chat.ask("What is clay")
    assert english_left(chat, language) == []
    chat.get("settings").click()
    chat.get("setting-top_p").fill("7")
    chat.get("setting-seed").fill("x")
    assert english_left(chat, language) == []
    chat.get("settings-close").click()
    chat.get("rung").click()
    chat.get("device-dialog").locator("summary").click()
    assert english_left(chat, language) == []
    chat.get("device-close").click()
    chat.get("history").click()
    expect(chat.get("history-dialog")).to_be_visible()
    assert english_left(chat, language) == []
    chat.get("history-search").fill("nowhere")
    assert english_left(chat, language) == []
    chat.get("history-close").click()
    assert chat.page.evaluate("[...seen]") == [language]


def test_no_english_in_trouble(foreigner: tuple[ChatPage, str]) -> None:
    """An address not understood, a context too large, a context that is full."""
    chat, language = foreigner
    chat.climb(backend="cloud", threads="two", context="many")
    expect(chat.page.locator("#notice h2")).to_be_visible()
    assert english_left(chat, language) == []
    chat.climb(context="999999")
    chat.expect_notice("bad-request")
    chat.get("trouble-details").locator("summary").click()
    assert english_left(chat, language) == []

    chat.climb(backend="wasm", context="40")
    chat.start()
    chat.configure(temperature=0)
    chat.ask("What is clay and what is it for")
    expect(chat.get("overflow")).to_be_visible()
    assert english_left(chat, language) == []


def test_no_english_when_it_steps_down(foreigner: tuple[ChatPage, str]) -> None:
    chat, language = foreigner

    def lie(manifest: dict[str, Any]) -> None:
        for variant in manifest["variants"].values():
            if variant["backend"] == "webgpu":
                variant["selftest"][0]["expected"][0] += 1

    chat.inject(REAL_CARD)
    edit_manifest(chat, lie)
    chat.climb()
    chat.start()
    expect(chat.get("change-details")).to_be_visible()
    assert english_left(chat, language) == []


def test_every_fault_is_told_in_the_language(foreigner: tuple[ChatPage, str]) -> None:
    """The engine's own sentence is in the details, marked as English."""
    chat, language = foreigner
    chat.page.route("**/weights/**", lambda route: route.fulfill(status=404))
    chat.climb(backend="wasm")
    chat.get("load").click()
    chat.expect_notice("network", "404", "the server answered 404")
    assert english_left(chat, language) == []
    english = chat.get("trouble-details").locator("[lang=en]")
    expect(english.first).to_contain_text("the server answered 404")
    chat.problems.clear()  # the 404s that were ordered


@pytest.mark.parametrize(
    ("locale", "query", "chosen", "language"),
    [
        ("de-CH", {}, None, "en"),
        ("it", {"lang": "fr"}, None, "fr"),
        ("fr", {"lang": "xx"}, None, "fr"),
        ("it", {"lang": "fr"}, "en", "en"),
    ],
)
def test_the_language_is_chosen(
    chromium: Browser,
    mini_site: str,
    locale: str,
    query: dict[str, str],
    chosen: str | None,
    language: str,
) -> None:
    """By the setting, else the address, else the browser, else English."""
    with visit(chromium, mini_site, locale=locale) as chat:
        chat.climb(**query)
        if chosen is not None:
            chat.get("settings").click()
            with chat.page.expect_navigation():
                chat.get("language").select_option(chosen)
        expect(chat.page.locator("html")).to_have_attribute("lang", language)
        expect(chat.page.locator("html")).to_have_attribute("dir", "ltr")
        expect(chat.page.locator("html")).not_to_have_attribute("data-wait", "")
        chat.assert_clean()


def test_another_language_keeps_the_conversation(climber: ChatPage) -> None:
    climber.climb(backend="wasm")
    climber.start()
    climber.configure(temperature=0, max_tokens=ANSWER)
    climber.ask("What is clay")
    talk = climber.turns
    climber.get("settings").click()
    climber.get("language").select_option("it")
    expect(climber.page.get_by_label("Messaggio", exact=True)).to_be_visible()
    assert climber.turns == talk
    expect(climber.get("answer")).to_have_count(1)


def test_words_that_do_not_arrive_leave_english(chromium: Browser, mini_site: str) -> None:
    with visit(chromium, mini_site, locale="fr") as chat:
        chat.page.route("**/fr-*.js", lambda route: route.abort())
        chat.climb()
        expect(chat.get("load")).to_be_visible()
        expect(chat.get("load")).to_have_text("Load model")
        expect(chat.page.locator("html")).to_have_attribute("lang", "en")
