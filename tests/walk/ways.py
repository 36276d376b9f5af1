"""How the page is set: numbers, system prompt, language, colours; where the model runs."""

from __future__ import annotations

import json

from playwright.sync_api import expect

from tests.walk.journey import Journey

BACKGROUND = "getComputedStyle(document.documentElement).backgroundColor"
LOADED = {"fr": "Message", "it": "Messaggio", "": "Message"}


def changes_settings(journey: Journey) -> None:
    """They hold after a reload."""
    journey.get("settings").click()
    journey.get("setting-temperature").fill("0.5")
    journey.get("setting-top_p").fill("7")
    expect(journey.get("settings-dialog")).to_contain_text("Top p must be a number from 0 to 1.")
    journey.get("setting-top_p").fill("0.9")
    journey.get("settings-close").click()
    journey.chat.page.reload()
    expect(journey.get("input")).to_be_visible()
    journey.get("settings").click()
    expect(journey.get("setting-temperature")).to_have_value("0.5")
    journey.get("settings-reset").click()
    expect(journey.get("setting-temperature")).not_to_have_value("0.5")
    journey.get("settings-close").click()


def looks_at_the_device(journey: Journey) -> None:
    journey.chat.expect_running(journey.where)
    journey.get("rung").click()
    panel = journey.get("device-dialog")
    panel.locator("summary").click()
    expect(panel).to_contain_text("Ways of running it, best first")
    expect(panel).to_contain_text("in use")
    panel.get_by_test_id("copy-report").click()
    expect(panel.get_by_test_id("copy-status")).to_contain_text("nothing was sent anywhere")
    report = json.loads(journey.chat.page.evaluate("navigator.clipboard.readText()"))
    assert report
    journey.get("device-close").click()


def speaks_other_languages(journey: Journey) -> None:
    """French, Italian, and back; the conversation stays."""
    before = journey.chat.turns
    assert before
    for language, label in LOADED.items():
        journey.get("settings").click()
        with journey.chat.page.expect_navigation():
            journey.get("language").select_option(language)
        html = journey.chat.page.locator("html")
        expect(html).to_have_attribute("lang", language or "en")
        expect(journey.chat.page.get_by_label(label, exact=True)).to_be_visible()
        assert journey.chat.turns == before


def goes_dark(journey: Journey) -> None:
    page = journey.chat.page
    light = page.evaluate(BACKGROUND)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(BACKGROUND) != light
    page.emulate_media(color_scheme="light")
    assert page.evaluate(BACKGROUND) == light


STEPS = [changes_settings, looks_at_the_device, speaks_other_languages, goes_dark]
