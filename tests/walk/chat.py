"""Questions and answers."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.chat_page import WATCH_ANSWERS, until
from tests.browser.conversations import (
    FIRST,
    LONG,
    SECOND,
    begin_long,
    go_on_and_stop,
    reload_in_mid_answer,
)
from tests.walk.journey import TALK, Journey


def asks_the_small_one(journey: Journey) -> None:
    journey.short_answers()
    assert journey.chat.ask(FIRST) != ""
    expect(journey.get("stats")).to_contain_text(f"{TALK} tokens")
    expect(journey.get("finish-note")).to_have_text("Cut off: the limit of tokens was reached.")


def stops_an_answer(journey: Journey) -> None:
    """It streams; what was shown when it was stopped stays."""
    journey.new_chat()
    journey.chat.configure(temperature=0, max_tokens=LONG)
    journey.chat.page.evaluate(WATCH_ANSWERS)
    journey.chat.send(SECOND)
    until(journey.chat.page, "seen.length > 3")
    journey.get("stop").click()
    part = journey.chat.answered()
    expect(journey.get("finish-note")).to_have_text("You stopped this answer.")
    seen: list[str] = journey.chat.page.evaluate("seen.filter((text) => text !== '')")
    assert all(part.startswith(text.strip()) for text in seen)


def has_it_answered_again(journey: Journey) -> None:
    """The same question at temperature 0 has the same answer, with or without a continuation."""
    journey.short_answers()
    short = journey.chat.regenerate()
    journey.chat.configure(temperature=0, max_tokens=2 * TALK)
    longer = journey.chat.regenerate()
    assert longer.startswith(short)
    assert longer != short
    journey.short_answers()
    assert journey.chat.regenerate() == short
    journey.get("continue").click()
    expect(journey.get("answer")).to_have_text(longer)


def reloads_in_mid_answer(journey: Journey) -> None:
    """All that was shown is there again, and goes on where it was."""
    chat = journey.chat
    journey.new_chat()
    begin_long(chat)
    seen = reload_in_mid_answer(chat)
    assert go_on_and_stop(chat).startswith(seen)


STEPS = [asks_the_small_one]
