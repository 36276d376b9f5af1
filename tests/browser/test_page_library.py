"""The library: several models with their verdicts; choosing, deleting and keeping them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_page import ChatPage, visit
from tests.browser.foreign import keep_foreign
from tests.browser.library import card, open_library
from tests.browser.shelf import SMALL_DEVICE, shelf
from tests.browser.site import write_files
from tests.browser.test_accessibility import DESKTOP, PHONE, violations
from web.verify import serving

KEEPS = """
let kept = false;
Object.assign(StorageManager.prototype, {
  persisted: async () => kept,
  persist: async () => (kept = %s),
});
"""
# The storage does not do one of its things, until `restore()`.
REFUSE = """(name) => {
  const { prototype } = FileSystemDirectoryHandle;
  const { [name]: works } = prototype;
  prototype[name] = () => {
    throw new Error("locked");
  };
  window.restore = () => Object.assign(prototype, { [name]: works });
}"""
# Pixels between the panel's head and a card.
ABOVE = """(card) => card.getBoundingClientRect().top -
  document.querySelector("#library-dialog .panel-head").getBoundingClientRect().bottom"""
DARK_PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 640},
    "color_scheme": "dark",
    "has_touch": True,
}


@pytest.fixture(scope="module")
def shelf_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    models = write_files(shelf(), tmp_path_factory.mktemp("shelf"))
    with serving(models) as address:
        yield address


@pytest.fixture
def browsing(chromium: Browser, shelf_site: str) -> Iterator[ChatPage]:
    with visit(chromium, shelf_site) as page:
        page.inject(SMALL_DEVICE)
        yield page
        page.assert_clean()


def expect_answers(chat: ChatPage) -> None:
    chat.configure(temperature=0, max_tokens=20)
    assert chat.ask("ab")


def test_every_model_has_its_verdict_and_card(browsing: ChatPage) -> None:
    browsing.climb(model="fits")
    expect(browsing.get("about-model")).to_have_text("Compare the models")
    open_library(browsing)
    verdicts = {
        "fits": "Runs well here",
        "larger": "Runs well here",
        "tight": "May struggle here",
        "raised": "Does not run here",
        "embeds": "Runs well here",
    }
    for name, verdict in verdicts.items():
        expect(card(browsing, name).get_by_test_id("fit")).to_have_text(verdict)
    expect(card(browsing, "tight")).to_contain_text("it may run out of memory")
    limit = "It needs maxBufferSize of 1,125,899,906,842,624, and the graphics card offers"
    expect(card(browsing, "raised")).to_contain_text(limit)
    expect(card(browsing, "larger").locator(".suggested")).to_contain_text("the largest of those")
    expect(browsing.page.locator(".suggested")).to_have_count(1)
    order = browsing.page.locator("[data-slug]").evaluate_all("all => all.map(e => e.dataset.slug)")
    assert order == ["larger", "fits", "tight", "raised", "embeds"]
    fits = card(browsing, "fits")
    expect(fits).to_contain_text(re.compile(r"to download once"))
    expect(fits).to_contain_text(re.compile(r"about [\d,]+ tok/s, estimated"))
    expect(fits).to_contain_text("Its answers can be wrong.")
    expect(fits).to_contain_text("32-bit numbers (100%) · in the checkpoint F32")
    expect(fits).to_contain_text("someone/texts")
    expect(fits).to_contain_text("English")
    expect(fits.get_by_role("link", name="mit")).to_have_attribute(
        "href", "https://example.org/mit"
    )
    licence = card(browsing, "larger").locator("dt:text-is('Licence') + dd")
    expect(licence).to_have_text("not stated")
    expect(card(browsing, "embeds")).to_contain_text("does not chat")
    for name in ("raised", "embeds"):
        expect(card(browsing, name).get_by_test_id("library-choose")).to_have_count(0)
    assert browsing.requested("weights") == []


def test_choose_chat_and_delete(browsing: ChatPage) -> None:
    """A conversation outlives the model's files, which are not fetched again unasked."""
    browsing.climb(model="fits")
    open_library(browsing)
    card(browsing, "larger").get_by_test_id("library-choose").click()
    expect(browsing.get("input")).to_be_visible()
    expect(browsing.get("model-name")).to_have_text("larger")
    expect_answers(browsing)
    open_library(browsing, "models")
    larger = card(browsing, "larger")
    expect(larger).to_contain_text("all of it in this browser")
    expect(larger).to_contain_text(re.compile(r"tok/s, as measured here"))
    expect(larger.get_by_test_id("library-choose")).to_be_disabled()
    expect(browsing.get("library-space")).to_contain_text(re.compile(r"Models take [\d.]+ kB"))
    larger.get_by_test_id("library-delete").click()
    expect(larger).to_contain_text("Your conversations stay.")
    larger.get_by_test_id("library-delete-no").click()
    larger.get_by_test_id("library-delete").click()
    larger.get_by_test_id("library-delete-yes").click()
    status = browsing.get("library-dialog").get_by_role("status")
    expect(status).to_have_text("larger is deleted: 12 bytes are free again.")
    expect(larger).to_contain_text("12 bytes still to download")  # the rest is the others' too
    browsing.get("library-close").click()
    expect(browsing.get("message-assistant")).to_have_count(1)
    assert browsing.ask("b")  # it is still in memory
    browsing.page.reload()
    expect(browsing.get("model-name")).to_have_text("larger")
    expect(browsing.get("load")).to_be_enabled()  # waits for a click


def test_deleting_ends_a_load(browsing: ChatPage) -> None:
    """What is deleted while it comes is not fetched any further, nor again unasked."""
    browsing.page.route("**/weights/*", lambda route: None)
    browsing.climb(model="fits", autoload="")
    browsing.get("pause").click()
    browsing.page.evaluate(REFUSE, "keys")
    browsing.get("models").click()
    status = browsing.get("library-dialog").get_by_role("status")
    expect(status).to_contain_text("Reload the page and try again")
    browsing.page.evaluate("restore()")
    browsing.get("library-retry").click()
    expect(status).to_have_text("")
    expect(browsing.get("library-retry")).to_be_hidden()
    fits = card(browsing, "fits")
    browsing.page.evaluate(REFUSE, "removeEntry")
    fits.get_by_test_id("library-delete").click()
    fits.get_by_test_id("library-delete-yes").click()
    expect(status).to_contain_text("Something went wrong. ")
    expect(status).to_contain_text("Reload the page and try again")
    browsing.page.evaluate("restore()")
    fits.get_by_test_id("library-delete").click()
    fits.get_by_test_id("library-delete-yes").click()
    browsing.page.unroute("**/weights/*")
    expect(status).to_contain_text("fits is deleted")
    browsing.get("library-close").click()
    expect(browsing.get("load")).to_have_text("Load model")
    kept = "[localStorage['webkiln.loaded'] || '', localStorage['webkiln.kept'] || '[]']"
    assert browsing.page.evaluate(kept) == ["", "[]"]
    browsing.page.reload()
    expect(browsing.get("load")).to_be_enabled()  # waits for a click
    expect(browsing.get("load")).to_have_text("Load model")


@pytest.mark.parametrize(
    ("agrees", "answer"), [("true", "until you delete"), ("false", "not agree")]
)
def test_keeping_is_offered_with_its_reason(
    chromium: Browser, shelf_site: str, agrees: str, answer: str
) -> None:
    with visit(chromium, shelf_site) as chat:
        chat.inject(KEEPS % agrees)
        chat.climb(model="fits")
        open_library(chat)
        expect(chat.get("library-persist")).to_have_count(0)  # there is nothing to keep
        card(chat, "fits").get_by_test_id("library-choose").click()
        expect(chat.get("input")).to_be_visible()
        open_library(chat, "models")
        expect(chat.get("library-space")).to_contain_text("may clear what this site keeps")
        chat.get("library-persist").click()
        expect(chat.get("library-dialog").get_by_role("status")).to_contain_text(answer)
        chat.assert_clean()


def test_with_one_model_it_is_about_that(climber: ChatPage) -> None:
    climber.climb()
    expect(climber.get("about-model")).to_have_text("About this model")
    climber.get("about-model").click()
    one = climber.get("library-card")
    expect(one).to_have_count(1)
    expect(one.get_by_test_id("fit")).to_have_text("Runs well here")
    expect(climber.page.locator(".suggested")).to_have_count(0)
    expect(climber.get("library-dialog").get_by_role("status")).to_have_text("")
    assert one.evaluate(ABOVE) < 24  # nothing to say takes no room
    assert climber.requested("weights") == []


def test_on_a_card_alone(chromium: Browser, shelf_site: str) -> None:
    """The way of running that the address asks for is the one that is judged."""
    with visit(chromium, shelf_site) as chat:
        chat.climb(model="fits", backend="webgpu")
        open_library(chat)
        fits = card(chat, "fits")
        expect(fits.get_by_test_id("fit")).to_have_text("May struggle here")
        expect(fits).to_contain_text("The graphics adapter is emulated in software")
        expect(fits).to_contain_text("tok/s, estimated")
        chat.assert_clean()


def test_keys_alone_on_a_dark_phone(chromium: Browser, shelf_site: str) -> None:
    with visit(chromium, shelf_site, **DARK_PHONE) as chat:
        chat.inject(SMALL_DEVICE)
        chat.climb(model="fits")
        expect(chat.get("load")).to_be_enabled()
        chat.get("about-model").focus()
        chat.page.keyboard.press("Enter")
        dialog = chat.get("library-dialog")
        expect(chat.get("library-list").get_by_test_id("fit")).to_have_count(5)
        expect(dialog.get_by_role("status")).to_have_text("")
        assert dialog.evaluate("(node) => node.scrollWidth <= node.clientWidth")
        choose = card(chat, "larger").get_by_test_id("library-choose")
        for _ in range(12):
            if choose.evaluate("(node) => node === document.activeElement"):
                break
            chat.page.keyboard.press("Tab")
        expect(choose).to_be_focused()
        chat.page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(chat.get("about-model")).to_be_focused()
        chat.assert_clean()


def test_a_device_that_cannot_measure_shows_verdicts_all_the_same(
    chromium: Browser, shelf_site: str
) -> None:
    with visit(chromium, shelf_site) as chat:
        chat.context.route("**/pace.js", lambda route: route.abort())
        chat.climb(model="fits")
        open_library(chat)
        speed = card(chat, "fits").locator("dt:text-is('Speed') + dd")
        expect(speed).to_have_text("not known")


def test_a_model_that_the_site_no_longer_has_can_be_deleted(browsing: ChatPage) -> None:
    browsing.climb(model="fits")
    expect(browsing.get("load")).to_be_enabled()
    keep_foreign(browsing.page, b"weights of an older format")
    open_library(browsing)
    other = browsing.get("library-other")
    expect(other).to_contain_text("theirs · 26 bytes")
    assert violations(browsing, "others") == []
    other.get_by_test_id("library-delete").click()
    expect(other).to_contain_text("Delete theirs (26 bytes) from this browser?")
    other.get_by_test_id("library-delete-yes").click()
    expect(other).to_have_count(0)
    expect(browsing.get("library-dialog").get_by_role("status")).to_contain_text(
        "theirs is deleted"
    )


def test_in_french(chromium: Browser, shelf_site: str) -> None:
    with visit(chromium, shelf_site, locale="fr-FR") as chat:
        chat.inject(SMALL_DEVICE)
        chat.climb(model="fits")
        open_library(chat)
        expect(card(chat, "tight").get_by_test_id("fit")).to_have_text("Risque de peiner ici")
        fits = card(chat, "fits")
        expect(fits).to_contain_text("anglais")
        # What the compiler and the licence say is English still, and marked as such.
        english = fits.locator("[lang=en]")
        expect(english).to_have_text(["Keep the notice.", "Some layers were made plain."])
        chat.assert_clean()


@pytest.mark.parametrize(
    ("language", "device"),
    [("en", DESKTOP), ("fr", {**PHONE, "color_scheme": "dark"})],
    ids=["desktop", "dark-phone"],
)
def test_axe_finds_nothing(
    chromium: Browser, shelf_site: str, language: str, device: dict[str, Any]
) -> None:
    with visit(chromium, shelf_site, locale=language, **device) as chat:
        chat.inject(SMALL_DEVICE)
        chat.climb(model="fits")
        expect(chat.get("load")).to_be_enabled()
        found = violations(chat, "start")
        open_library(chat)
        found += violations(chat, "library")
        card(chat, "larger").get_by_test_id("library-choose").click()
        expect(chat.get("input")).to_be_visible()
        open_library(chat, "models")
        card(chat, "larger").get_by_test_id("library-delete").click()
        found += violations(chat, "deleting")
        assert found == []
