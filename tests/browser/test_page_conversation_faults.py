"""What was said outlives reloads, crashes, faults and other tabs."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Error, expect

from tests.browser.chat_page import PATIENCE, ChatPage
from tests.browser.conftest import TALK
from tests.browser.conversations import (
    FIRST,
    LONG,
    SECOND,
    Panel,
    begin_long,
    go_on_and_stop,
    kept,
    put,
    reload_in_mid_answer,
    shown,
)
from tests.browser.outcomes import record


def test_reload_in_mid_answer(talker: ChatPage) -> None:
    """All that was shown is there again, and "Continue" gives the answer it would have been."""
    whole = talker.ask(FIRST)
    talker.configure(temperature=0, max_tokens=LONG)
    begin_long(talker)
    seen = reload_in_mid_answer(talker)
    part = go_on_and_stop(talker)
    assert part.startswith(seen)
    assert len(part) > len(seen)
    assert [turn["role"] for turn in talker.turns] == ["user", "assistant"] * 2
    assert talker.turns[-1]["finish"] == "abort"

    talker.get("new-chat").click()
    expect(talker.get("answer")).to_have_count(0)
    talker.configure(temperature=0, max_tokens=TALK)
    assert talker.ask(FIRST) == whole
    talker.configure(temperature=0, max_tokens=2 * TALK)
    longer = talker.regenerate()
    talker.configure(temperature=0, max_tokens=TALK)
    assert talker.regenerate() == whole
    talker.get("continue").last.click()
    expect(talker.get("answer").last).not_to_have_text(whole)
    assert talker.answered() == longer  # told apart by nothing from one that was never cut
    expect(talker.get("answer")).to_have_count(1)


def test_worker_killed_in_mid_answer(talker: ChatPage) -> None:
    begin_long(talker)
    talker.worker.evaluate("close()")
    talker.expect_notice("worker-lost")
    expect(talker.get("finish-note").last).to_contain_text("interrupted")
    seen = shown(talker)
    assert seen != ""
    assert [turn["content"].strip() for turn in talker.turns] == [FIRST, seen]
    talker.page.reload()
    expect(talker.get("input")).to_be_visible()
    assert shown(talker) == seen
    expect(talker.get("continue")).to_be_visible()


def test_tab_closed_in_mid_answer(talker: ChatPage) -> None:
    begin_long(talker)
    address = talker.page.url
    seen = shown(talker)
    talker.page.close(run_before_unload=True)
    talker.page = talker.new_tab()
    talker.page.goto(address)
    expect(talker.get("input")).to_be_visible()
    expect(talker.page.locator(".bubble")).to_have_text([FIRST])
    assert shown(talker).startswith(seen)
    expect(talker.get("finish-note")).to_have_text("This answer was interrupted.")
    expect(talker.get("continue")).to_be_visible()
    record("tab closed in mid-answer", "recovered")


def written(chat: ChatPage) -> str:
    """Waits until the database has some of the answer."""
    for _ in range(PATIENCE // 20):
        [*_, last] = chat.stored() or [{"role": "user"}]
        if last["role"] == "assistant" and last["content"]:
            return str(last["content"])
        chat.page.wait_for_timeout(20)
    pytest.fail("nothing of the answer was written")


def test_tab_crashed_in_mid_answer(talker: ChatPage) -> None:
    """Nobody gets a last word in: what was written while it streamed is what there is."""
    begin_long(talker)
    before = written(talker)
    address = talker.page.url
    with talker.page.expect_event("crash"), suppress(Error):
        talker.page.goto("chrome://crash")
    talker.page = talker.new_tab()
    talker.page.goto(address)
    expect(talker.page.locator(".bubble")).to_have_text([FIRST])
    assert shown(talker).startswith(before)
    expect(talker.get("finish-note")).to_have_text("This answer was interrupted.")
    expect(talker.get("continue")).to_be_visible()
    record("tab crashed in mid-answer", "recovered")


def second_tab(chat: ChatPage, address: str) -> ChatPage:
    """Another tab of the same browser; `problems` and `requests` are the first one's."""
    other = object.__new__(ChatPage)
    other.__dict__.update(chat.__dict__)
    other.page = chat.new_tab()
    other.page.goto(address)
    return other


def expect_elsewhere(chat: ChatPage) -> None:
    expect(chat.get("note-elsewhere")).to_contain_text("open in another tab")
    expect(chat.get("composer")).to_be_hidden()


def test_two_tabs(talker: ChatPage) -> None:
    answer = talker.ask(FIRST)
    other = second_tab(talker, talker.page.url)
    expect_elsewhere(other)
    expect(other.get("answer")).to_have_text([answer])
    expect(other.get("regenerate")).to_be_hidden()

    # What goes on in the first is seen in the second, in the list too.
    Panel(other.page).open()
    grown = talker.ask(SECOND)
    expect(other.get("answer")).to_have_text([answer, grown])
    talker.get("new-chat").click()
    talker.ask("What is glaze")
    expect(Panel(other.page).titles).to_have_text(["What is glaze", FIRST])
    # The first tab left it, so that the second one has it.
    expect(other.get("composer")).to_be_visible()
    expect(other.get("note-elsewhere")).to_have_count(0)
    other.ask("And a wheel")

    # The first comes back, sees it all, and takes it over.
    talker.page.bring_to_front()
    panel = Panel(talker.page)
    panel.open()
    panel.choose(FIRST)
    expect_elsewhere(talker)
    expect(talker.page.locator(".bubble")).to_have_text([FIRST, SECOND, "And a wheel"])
    talker.get("take-over").click()
    expect(talker.get("composer")).to_be_visible()
    expect_elsewhere(other)
    talker.ask("And fire")
    questions = [FIRST, SECOND, "And a wheel", "And fire"]
    expect(other.page.locator(".bubble")).to_have_text(questions)
    stored = [turn["content"] for turn in talker.turns if turn["role"] == "user"]
    assert stored == questions

    # Deleted in one, gone from the other.
    panel.act(FIRST, "delete")
    expect(other.get("answer")).to_have_count(0)
    expect(Panel(other.page).titles).to_have_text(["What is glaze"])


def test_taken_over_in_mid_answer(talker: ChatPage) -> None:
    begin_long(talker)
    other = second_tab(talker, talker.page.url)
    expect_elsewhere(other)
    other.started()
    other.get("take-over").click()
    expect(other.get("composer")).to_be_visible()
    expect_elsewhere(talker)
    part = shown(other)
    assert part != ""
    assert shown(talker) == part
    assert other.turns[-1]["finish"] == "abort"
    record("taken over by another tab in mid-answer", "recovered")


def test_tab_that_sleeps_is_overtaken(talker: ChatPage) -> None:
    """It does not let go when it is asked to; when it wakes up, it finds that it lost its turn."""
    talker.ask(FIRST)
    deaf = "BroadcastChannel.prototype.postMessage = () => undefined;"
    talker.page.evaluate(f"void 0; {deaf}")
    other = second_tab(talker, talker.page.url)
    other.page.evaluate(deaf)  # so that no tab hears the other
    expect_elsewhere(other)
    other.get("take-over").click()
    expect(other.get("composer")).to_be_visible()
    expect_elsewhere(talker)
    other.ask(SECOND)
    assert len(other.turns) == 4


def test_damaged_records_do_not_break_the_list(climber: ChatPage) -> None:
    climber.climb()
    climber.start()
    climber.configure(temperature=0, max_tokens=TALK)
    answer = climber.ask(FIRST)
    identity = urlsplit(climber.page.url).fragment.removeprefix("chat=")
    put(climber, "conversations", {"id": "damaged", "title": 7, "updated": "soon"})
    put(climber, "conversations", {"id": "newer", "title": "Newer", "updated": 5, "where": {}})
    put(climber, "turns", {"conversation": identity, "index": 2, "role": "robot", "content": 1})
    put(climber, "turns", {"conversation": "nobody", "index": 0})
    climber.page.reload()
    expect(climber.get("answer")).to_have_text([answer])
    panel = Panel(climber.page)
    panel.open()
    expect(panel.titles).to_have_text([FIRST, "Newer", "Untitled"])
    expect(panel.get("history-list").locator("h3").last).to_have_text("Some time ago")
    panel.get("history-search").fill("clay")
    expect(panel.titles).to_have_text([FIRST])
    panel.choose(FIRST)
    climber.ask(SECOND)
    assert [turn["role"] for turn in climber.turns] == ["user", "assistant"] * 2
    panel.get("history-search").fill("")
    panel.choose("Untitled")
    expect(climber.get("answer")).to_have_count(0)
    panel.act("Newer", "rename")
    panel.get("rename-field").fill("Named")
    climber.page.keyboard.press("Enter")
    expect(panel.titles).to_have_text([FIRST, "Named", "Untitled"])
    assert '"where":{}' in kept(climber)  # what this version does not know stays


def test_browser_that_keeps_nothing(climber: ChatPage) -> None:
    climber.inject(
        "if (globalThis.document) IDBFactory.prototype.open = () => {"
        " throw new DOMException('denied', 'SecurityError'); };"
    )
    climber.climb()
    climber.start()
    expect(climber.get("note-storage")).to_contain_text("Nothing is kept here")
    climber.configure(temperature=0, max_tokens=TALK)
    assert climber.ask(FIRST) != ""
    assert climber.ask(SECOND) != ""
    climber.get("history").click()
    expect(climber.get("not-kept")).to_contain_text("There is no list")
    climber.get("history-close").click()
    climber.get("new-chat").click()
    expect(climber.get("answer")).to_have_count(0)


def test_full_disk(climber: ChatPage) -> None:
    """What cannot be written is said, shown all the same, and written as soon as there is room."""
    climber.climb()
    climber.start()
    climber.configure(temperature=0, max_tokens=TALK)
    climber.ask(FIRST)
    climber.page.evaluate(
        """() => {
          window.realPut = IDBObjectStore.prototype.put;
          IDBObjectStore.prototype.put = () => {
            throw new DOMException("full", "QuotaExceededError");
          };
        }"""
    )
    answer = climber.ask(SECOND)
    expect(climber.get("note-storage")).to_contain_text("no room left")
    expect(climber.get("answer").last).to_have_text(answer)
    climber.page.evaluate("() => { IDBObjectStore.prototype.put = window.realPut; }")
    climber.ask("And glaze")
    expect(climber.get("note-storage")).to_have_count(0)
    assert len(climber.turns) == 6


def test_newer_database(climber: ChatPage) -> None:
    """Another version of the page kept it: nothing is touched, and the chat works."""
    climber.climb()
    expect(climber.get("load")).to_be_enabled()
    climber.page.evaluate(  # the page lets go of it
        """() => new Promise((resolve) => {
          const request = indexedDB.open("webkiln", 99);
          request.onsuccess = () => { request.result.close(); resolve(); };
        })"""
    )
    climber.page.goto("about:blank")
    climber.page.goto(f"{climber.address}/?threads=2#chat=0123456789abcdef")
    climber.start()
    expect(climber.get("note-storage")).to_contain_text("Reload the page to get that version")
    climber.get("history").click()
    expect(climber.get("not-kept")).to_contain_text("kept by a newer version of this page")
    expect(climber.get("not-kept")).not_to_contain_text("keeps no data")
    climber.get("history-close").click()
    climber.configure(temperature=0, max_tokens=TALK)
    assert climber.ask(FIRST) != ""
    assert climber.page.url.endswith("#chat=0123456789abcdef")  # that version will show it
