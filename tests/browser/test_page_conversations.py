"""Conversations are listed, found, renamed, deleted and moved; on a desktop and on a phone."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import TALK
from tests.browser.conversations import FIRST, PHONE, SECOND, Panel, exported, kept, write


def test_list_and_open(talker: ChatPage) -> None:
    panel = Panel(talker.page)
    first = talker.ask(FIRST)
    address = talker.page.url
    talker.get("new-chat").click()
    expect(talker.get("answer")).to_have_count(0)
    talker.ask(SECOND)
    assert urlsplit(talker.page.url).fragment not in ("", urlsplit(address).fragment)

    panel.open()
    expect(panel.titles).to_have_text([SECOND, FIRST])  # newest first
    expect(panel.get("history-list").locator("h3")).to_have_text(["Today"])
    expect(panel.row(SECOND).get_by_test_id("open-conversation")).to_have_attribute(
        "aria-current", "true"
    )
    panel.choose(FIRST)
    expect(talker.get("answer")).to_have_text([first])
    expect(talker.get("input")).to_be_focused()
    assert talker.page.url == address

    talker.page.go_back()
    expect(talker.page.locator(".bubble")).to_have_text([SECOND])
    talker.page.go_forward()
    expect(talker.page.locator(".bubble")).to_have_text([FIRST])


def test_rename(talker: ChatPage) -> None:
    panel = Panel(talker.page)
    ask_twice(talker)
    panel.open()
    panel.choose(FIRST)
    panel.act(FIRST, "rename")
    expect(panel.get("rename-field")).to_be_focused()
    panel.get("rename-field").fill("Pottery")
    talker.page.keyboard.press("Enter")
    expect(panel.titles).to_have_text([SECOND, "Pottery"])
    expect(panel.row("Pottery").get_by_test_id("open-conversation")).to_be_focused()
    panel.act("Pottery", "rename")
    panel.get("rename-field").fill("Something else")
    talker.page.keyboard.press("Escape")
    expect(panel.titles).to_have_text([SECOND, "Pottery"])

    talker.ask(SECOND)  # the name stays; what goes on comes first
    expect(panel.titles).to_have_text(["Pottery", SECOND])
    talker.page.reload()
    expect(talker.get("input")).to_be_visible()
    expect(talker.page.locator(".bubble")).to_have_text([FIRST, SECOND])
    panel.open()
    expect(panel.titles).to_have_text(["Pottery", SECOND])
    panel.act("Pottery", "rename")
    panel.get("rename-field").fill("")
    talker.page.keyboard.press("Enter")
    expect(panel.titles).to_have_text([FIRST, SECOND])  # the first question's again


def ask_twice(chat: ChatPage) -> str:
    """In a conversation each; the first one's answer."""
    answer = chat.ask(FIRST)
    chat.get("new-chat").click()
    expect(chat.get("answer")).to_have_count(0)
    chat.ask(SECOND)
    return answer


def test_delete_for_good(talker: ChatPage) -> None:
    panel = Panel(talker.page)
    answer = ask_twice(talker)
    panel.open()
    panel.choose(FIRST)
    expect(talker.get("answer")).to_have_text([answer])
    panel.act(FIRST, "delete")
    expect(panel.get("undo")).to_be_focused()
    expect(panel.titles).to_have_text([SECOND])
    expect(talker.get("answer")).to_have_count(0)  # it was the one that was open
    assert FIRST not in kept(talker)  # gone at once, undone or not
    panel.get("undo").click()
    expect(panel.titles).to_have_text([SECOND, FIRST])
    expect(talker.get("answer")).to_have_text([answer])

    panel.act(FIRST, "delete")
    panel.expect_status(f"Deleted: {FIRST}.")
    panel.close()
    panel.open()
    expect(panel.get("undo")).to_be_hidden()
    assert FIRST not in kept(talker)
    assert SECOND in kept(talker)
    talker.page.reload()
    expect(talker.get("input")).to_be_visible()
    expect(talker.get("answer")).to_have_count(0)


def test_delete_all(talker: ChatPage) -> None:
    panel = Panel(talker.page)
    talker.ask(SECOND)
    panel.open()
    panel.tools()
    panel.get("delete-all").click()
    expect(panel.get("confirm-delete-all")).to_contain_text("Delete 1 conversation from this")
    expect(panel.get("keep-all")).to_be_focused()
    panel.get("keep-all").click()
    expect(panel.titles).to_have_count(1)
    panel.get("delete-all").click()
    panel.get("confirm-delete").click()
    panel.expect_status("All conversations were deleted.")
    expect(panel.titles).to_have_count(0)
    found = json.loads(kept(talker))
    assert found["conversations"] == found["turns"] == []
    assert SECOND not in kept(talker)


def test_export_and_import(talker: ChatPage, tmp_path: Path) -> None:
    panel = Panel(talker.page)
    answer = talker.ask(FIRST)
    talker.get("new-chat").click()
    talker.ask(SECOND)
    panel.open()
    row = panel.row(FIRST)
    row.get_by_test_id("more").click()
    one = panel.download(row.get_by_test_id("export-md"), tmp_path)
    assert one.name == "webkiln-What-is-clay.md"
    assert one.read_text().startswith(f"# {FIRST}\n")
    assert f"## You\n\n{FIRST}\n\n## Answer\n\n{answer.strip()}" in one.read_text()
    single = panel.download(row.get_by_test_id("export-json"), tmp_path)
    assert len(json.loads(single.read_text())["conversations"]) == 1
    panel.tools()
    text = panel.download(panel.get("export-all-md"), tmp_path).read_text()
    assert text.count("\n## You\n") == 2
    everything = panel.download(panel.get("export-all-json"), tmp_path)
    before = json.loads(everything.read_text())
    assert [each["title"] for each in before["conversations"]] == [SECOND, FIRST]
    assert before["conversations"][1]["turns"][1]["stats"]["completionTokens"] == TALK

    panel.bring(everything)
    panel.expect_status("Nothing was new.", "2 conversations were here already.")
    expect(panel.titles).to_have_count(2)
    panel.get("delete-all").click()
    panel.get("confirm-delete").click()
    expect(panel.titles).to_have_count(0)
    panel.bring(everything)
    panel.expect_status("2 conversations imported.")
    expect(panel.titles).to_have_text([SECOND, FIRST])
    after = panel.download(panel.get("export-all-json"), tmp_path)
    assert json.loads(after.read_text())["conversations"] == before["conversations"]
    panel.choose(FIRST)
    expect(talker.get("answer")).to_have_text([answer])
    talker.ask(SECOND)  # it goes on
    panel.bring(single)
    panel.expect_status("1 conversation was here already.")
    expect(talker.page.locator(".bubble")).to_have_text([FIRST, SECOND])


def test_damaged_files_are_refused(climber: ChatPage, tmp_path: Path) -> None:
    panel = Panel(climber.page)
    climber.climb()
    panel.open()
    panel.bring(write(tmp_path / "good.json", exported(2)))
    panel.expect_status("2 conversations imported.")
    wrong = exported(3)
    wrong["conversations"][2]["turns"][1]["role"] = "system"
    faults: list[tuple[object, str]] = [
        ("", "The file is not JSON."),
        (json.dumps(exported(3))[:-5], "The file is not JSON."),
        ({"conversations": []}, "no export of conversations"),
        ({**exported(3), "version": 2}, "version 2, which is newer than this page knows"),
        (wrong, 'conversations[2].turns[1].role is "system"; it must be "user" or "assistant".'),
    ]
    for number, (content, message) in enumerate(faults):
        panel.bring(write(tmp_path / f"{number}.json", content))
        panel.expect_status(message, "Nothing was imported.")
        expect(panel.titles).to_have_count(2)
    assert json.loads(kept(climber))["conversations"][-1]["title"] == "Question 1"


def test_a_thousand_conversations(climber: ChatPage, tmp_path: Path) -> None:
    panel = Panel(climber.page)
    climber.climb()
    panel.open()
    panel.tools()
    panel.bring(write(tmp_path / "many.json", exported(1000)))
    panel.expect_status("1,000 conversations imported.")
    expect(panel.titles).to_have_count(1000)
    expect(panel.titles.first).to_have_text("Question 999")
    search = panel.get("history-search")
    search.fill("needle77")
    panel.expect_status("11 conversations found.")  # 77 and 770 to 779
    expect(panel.titles).to_have_count(11)
    expect(panel.get("conversation").last.locator("mark")).to_have_text("needle77")
    search.fill("NEEDLE77. glazé")
    expect(panel.titles).to_have_text(["Question 77"])
    search.fill("question 5")
    panel.expect_status("found")
    search.fill("no such word")
    panel.expect_status("Nothing found.")
    search.fill("")
    expect(panel.titles).to_have_count(1000)
    search.fill("needle500")
    expect(panel.titles).to_have_text(["Question 500"])
    panel.choose("Question 500")
    expect(climber.page.locator(".bubble")).to_have_text(["Question 500"])
    expect(climber.get("answer")).to_contain_text("needle500.")


def test_a_conversation_remembers_model_and_prompt(talker: ChatPage) -> None:
    talker.get("settings").click()
    talker.get("system-prompt").fill("Be brief")
    talker.get("settings-close").click()
    talker.ask(FIRST)
    chat = urlsplit(talker.page.url).fragment
    panel = Panel(talker.page)

    talker.climb(context="4096", model="other")
    expect(talker.get("input")).to_be_visible()  # its files are known by their content
    talker.get("new-chat").click()
    talker.configure(temperature=0, max_tokens=TALK)  # takes back the system prompt
    talker.ask(SECOND)
    panel.open()
    panel.choose(FIRST)
    expect(talker.get("note-model")).to_contain_text("This conversation was held with mini.")
    talker.get("settings").click()
    expect(talker.get("system-prompt")).to_have_value("Be brief")
    talker.get("settings-close").click()
    panel.choose(SECOND)
    expect(talker.get("note-model")).to_have_count(0)
    talker.get("settings").click()
    expect(talker.get("system-prompt")).to_have_value("")
    talker.get("settings-close").click()
    panel.choose(FIRST)
    talker.get("use-model").click()
    expect(talker.page).to_have_url(f"{talker.address}/?threads=2&model=mini#{chat}")
    expect(talker.page.locator(".bubble")).to_have_text([FIRST])
    # Without a model in the address, the conversation's own.
    talker.page.goto(f"{talker.address}/?threads=2#{chat}")
    expect(talker.page.locator("#model-select")).to_have_value("mini")


def test_what_a_tab_kept_is_taken_over_once(climber: ChatPage) -> None:
    turns = [
        {"role": "user", "content": FIRST},
        {"role": "assistant", "content": "Mud", "finish": "stop"},
    ]
    climber.climb()
    expect(climber.get("load")).to_be_enabled()
    climber.page.evaluate(
        "(turns) => sessionStorage.setItem('webkiln.conversation', turns)", json.dumps(turns)
    )
    climber.page.reload()
    expect(climber.get("answer")).to_have_text(["Mud"])
    assert climber.turns == turns
    climber.page.reload()
    expect(climber.get("answer")).to_have_text(["Mud"])
    Panel(climber.page).open()
    expect(Panel(climber.page).titles).to_have_text([FIRST])


def focus(page: Page) -> str:
    found: str = page.evaluate("document.activeElement?.dataset.testid ?? ''")
    return found


@pytest.fixture
def phone(climber: ChatPage) -> ChatPage:
    """A drawer's width, with one conversation."""
    climber.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    climber.climb()
    climber.start()
    climber.configure(temperature=0, max_tokens=TALK)
    climber.ask(FIRST)
    return climber


def test_keyboard_alone(phone: ChatPage) -> None:
    panel, keyboard = Panel(phone.page), phone.page.keyboard

    def tab_to(testid: str) -> None:
        for _ in range(60):
            if focus(phone.page) == testid:
                return
            keyboard.press("Tab")
        pytest.fail(f"Tab never reaches {testid}")

    tab_to("history")
    keyboard.press("Enter")
    expect(panel.get("history-dialog")).to_be_visible()
    assert phone.page.evaluate("document.querySelector('.history').matches(':modal')")
    keyboard.press("Escape")
    expect(panel.get("history-dialog")).to_be_hidden()
    assert focus(phone.page) == "history"
    keyboard.press("Enter")
    expect(panel.get("history-dialog")).to_be_visible()
    tab_to("more")
    keyboard.press("Enter")
    tab_to("rename")
    keyboard.press("Enter")
    keyboard.type("Pottery")
    keyboard.press("Enter")
    expect(panel.titles).to_have_text(["Pottery"])
    assert focus(phone.page) == "open-conversation"
    keyboard.press("Enter")
    expect(panel.get("history-dialog")).to_be_hidden()  # a drawer gives way
    expect(phone.get("input")).to_be_focused()

    panel.open()
    panel.act("Pottery", "delete")
    expect(panel.get("undo")).to_be_focused()
    keyboard.press("Enter")
    expect(panel.titles).to_have_text(["Pottery"])


def test_on_a_phone(phone: ChatPage, tmp_path: Path) -> None:
    panel = Panel(phone.page)
    panel.open()
    panel.tools()
    panel.bring(write(tmp_path / "some.json", exported(30)))
    panel.expect_status("30 conversations imported.")
    wide = "document.documentElement.scrollWidth > innerWidth"
    body = "(node) => node.scrollWidth > node.clientWidth"
    assert not phone.page.evaluate(wide)
    assert not panel.get("history-dialog").evaluate(body)
    panel.get("history-search").fill("needle7")
    panel.expect_status("1 conversation found.")
    panel.choose("Question 7")
    expect(panel.get("history-dialog")).to_be_hidden()
    expect(phone.page.locator(".bubble")).to_have_text(["Question 7"])
    assert not phone.page.evaluate(wide)
