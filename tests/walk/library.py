"""Models are compared, chosen, kept and deleted."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.library import card, open_library
from tests.browser.privacy import PrivacyPanel
from tests.walk.journey import Journey


def compares_the_models(journey: Journey) -> None:
    chat = journey.chat
    open_library(chat)
    well = "Runs well here" if journey.backend == "wasm" else "May struggle here"
    verdicts = {"large": well, "small": well, "slow": "May struggle here"}
    for name, verdict in verdicts.items():
        expect(card(chat, name).get_by_test_id("fit")).to_have_text(verdict)
    expect(card(chat, "raised").get_by_test_id("fit")).to_have_text("Does not run here")
    expect(card(chat, "slow")).to_contain_text("Answers will come more slowly than people read")
    limit = "It needs maxBufferSize of 1,125,899,906,842,624"
    expect(card(chat, "raised")).to_contain_text(limit)
    expect(card(chat, "embeds")).to_contain_text("does not chat")
    expect(chat.page.locator(".suggested")).to_have_count(1)
    for name in ("raised", "embeds"):
        expect(card(chat, name).get_by_test_id("library-choose")).to_have_count(0)
    assert chat.requested("weights") == []


def reads_a_model_card(journey: Journey) -> None:
    large = card(journey.chat, "large")
    told = [
        "to download once",
        "someone/texts",
        "English, French, and Italian",
        "32-bit numbers (100%) · in the checkpoint F32",
        "Its answers can be wrong.",
    ]
    for text in told:
        expect(large).to_contain_text(text)
    expect(large).to_contain_text(re.compile(r"about [\d,]+ tok/s, estimated"))
    licence = large.get_by_role("link", name="mit")
    expect(licence).to_have_attribute("href", "https://example.org/mit")


def takes_the_small_one(journey: Journey) -> None:
    card(journey.chat, "small").get_by_test_id("library-choose").click()
    expect(journey.get("input")).to_be_visible()
    expect(journey.get("model-name")).to_have_text("small")
    journey.chat.expect_running(journey.where)


def sees_what_it_took(journey: Journey) -> None:
    """The service worker is asked about its files, and leaves them to the browser."""
    panel = PrivacyPanel(journey.chat)
    panel.open("privacy")
    expect(panel.said("model")).to_contain_text("the model's worker · ")
    expect(panel.said("model").locator("summary")).to_contain_text("kB over the network")
    expect(panel.said("model")).not_to_contain_text("answered by the service worker")
    panel.close()


def asks_the_browser_to_keep_them(journey: Journey) -> None:
    """The browser may refuse; either answer is told."""
    open_library(journey.chat, "models")
    space = journey.get("library-space")
    expect(space).to_contain_text(re.compile(r"Models take [\d.]+ kB in this browser"))
    expect(space).to_contain_text("the browser may clear what this site keeps")
    journey.get("library-persist").click()
    told = re.compile("keeps the models until you delete them|did not agree")
    status = journey.get("library-dialog").get_by_role("status")
    expect(status).to_have_text(told)
    journey.get("library-close").click()


def deletes_a_model(journey: Journey) -> None:
    """Its conversations stay."""
    chat = journey.chat
    open_library(chat, "models")
    large = card(chat, "large")
    expect(large).to_contain_text("all of it in this browser")
    large.get_by_test_id("library-delete").click()
    expect(large).to_contain_text("Your conversations stay.")
    large.get_by_test_id("library-delete-yes").click()
    status = journey.get("library-dialog").get_by_role("status")
    expect(status).to_have_text(re.compile(r"large is deleted: 80\d\.\d kB are free again\."))
    expect(large).to_contain_text(re.compile(r"80\d\.\d kB still to download"))
    expect(journey.get("library-space")).to_contain_text("Models take")
    journey.get("library-close").click()


STEPS = [compares_the_models, reads_a_model_card, takes_the_small_one, sees_what_it_took]
