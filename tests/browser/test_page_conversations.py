"""Conversations are kept, found, renamed, deleted and moved; nothing that was shown is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from tests.browser.chat_page import STORED_TURNS, ChatPage, visit
from tests.browser.conversations import PHONE, Panel, exported, kept, put, write
from tests.browser.test_page_ladder import NO_GPU
from tests.browser.wasm_miniature import WasmMiniature
from web.verify import serving

FIRST, SECOND = "What is clay", "And a kiln"
SHORT = 12  # tokens
LONG = 3000
# What an answer shows, kept where a reload does not reach: `name` of a window outlives documents.
NOTE_SHOWN = """() => {
  new MutationObserver(() => {
    window.name = [...document.querySelectorAll(".answer-body")].at(-1)?.textContent ?? "";
  }).observe(document.getElementById("log"), { childList: true, subtree: true });
}"""


@pytest.fixture(scope="module")
def slow_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The miniature at some 100 tokens a second, under two names."""
    root = tmp_path_factory.mktemp("slow")
    for path, content in WasmMiniature(stop_tokens=[], busy=3_000_000).files().items():
        for folder in ("mini", "other"):
            file = root / path.removeprefix("/").replace("models/mini", f"models/{folder}")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    with serving(root / "models") as address:
        yield address


@pytest.fixture
def talker(chromium: Browser, slow_site: str) -> Iterator[ChatPage]:
    """Somebody at the slow miniature, loaded on the processor, with short and greedy answers."""
    with visit(chromium, slow_site) as chat:
        chat.inject(NO_GPU)
        chat.climb(context="4096")
        chat.start()
        chat.configure(temperature=0, max_tokens=SHORT)
        yield chat
        chat.assert_clean()


def begin_long(chat: ChatPage) -> None:
    """An answer is under way, and what it shows is noted."""
    chat.configure(temperature=0, max_tokens=LONG)
    chat.page.evaluate(NOTE_SHOWN)
    chat.send(FIRST)
    chat.started()


def shown(chat: ChatPage) -> str:
    return chat.get("answer").last.inner_text()


def test_list_open_rename(talker: ChatPage) -> None:
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


def test_delete_for_good(talker: ChatPage) -> None:
    panel = Panel(talker.page)
    answer = talker.ask(FIRST)
    talker.get("new-chat").click()
    expect(talker.get("answer")).to_have_count(0)
    talker.ask(SECOND)
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


def test_reload_in_mid_answer(talker: ChatPage) -> None:
    """All that was shown is there again, and "Continue" gives the answer it would have been."""
    whole = talker.ask(FIRST)
    talker.configure(temperature=0, max_tokens=LONG)
    begin_long(talker)
    talker.page.reload()
    expect(talker.get("input")).to_be_visible()
    seen: str = talker.page.evaluate("window.name.trim()")
    assert seen != ""
    assert shown(talker).startswith(seen)
    expect(talker.get("finish-note").last).to_have_text("This answer was interrupted.")
    talker.get("continue").last.click()
    expect(talker.get("message-assistant").last).to_have_attribute("data-state", "busy")
    talker.get("stop").click()
    part = talker.answered()
    assert part.startswith(seen)
    assert len(part) > len(seen)
    assert [turn["role"] for turn in talker.turns] == ["user", "assistant"] * 2
    assert talker.turns[-1]["finish"] == "abort"

    talker.get("new-chat").click()
    expect(talker.get("answer")).to_have_count(0)
    talker.configure(temperature=0, max_tokens=SHORT)
    assert talker.ask(FIRST) == whole
    talker.configure(temperature=0, max_tokens=2 * SHORT)
    longer = talker.regenerate()
    talker.configure(temperature=0, max_tokens=SHORT)
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
    assert [turn["content"] for turn in talker.turns] == [FIRST, seen]
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


def test_tab_crashed_in_mid_answer(talker: ChatPage) -> None:
    """Nobody gets a last word in: what was written while it streamed is what there is."""
    begin_long(talker)
    written = f"async () => (await ({STORED_TURNS})())[1]?.content"
    before: str = talker.page.wait_for_function(written).json_value()
    address = talker.page.url
    with talker.page.expect_event("crash"), suppress(Error):
        talker.page.goto("chrome://crash")
    talker.page = talker.new_tab()
    talker.page.goto(address)
    expect(talker.page.locator(".bubble")).to_have_text([FIRST])
    assert shown(talker).startswith(before)
    expect(talker.get("finish-note")).to_have_text("This answer was interrupted.")


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
    assert before["conversations"][1]["turns"][1]["stats"]["completionTokens"] == SHORT

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


def test_damaged_records_do_not_break_the_list(climber: ChatPage) -> None:
    climber.climb()
    climber.start()
    climber.configure(temperature=0, max_tokens=SHORT)
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
    climber.configure(temperature=0, max_tokens=SHORT)
    assert climber.ask(FIRST) != ""
    assert climber.ask(SECOND) != ""
    climber.get("history").click()
    expect(climber.get("not-kept")).to_contain_text("there is no list")
    climber.get("history-close").click()
    climber.get("new-chat").click()
    expect(climber.get("answer")).to_have_count(0)


def test_full_disk(climber: ChatPage) -> None:
    """What cannot be written is said, shown all the same, and written as soon as there is room."""
    climber.climb()
    climber.start()
    climber.configure(temperature=0, max_tokens=SHORT)
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
    expect(climber.get("note-storage")).to_contain_text("could not be kept")
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
    climber.climb()
    climber.start()
    expect(climber.get("note-storage")).to_contain_text("Reload the page to get that version")
    climber.configure(temperature=0, max_tokens=SHORT)
    assert climber.ask(FIRST) != ""


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
    talker.configure(temperature=0, max_tokens=SHORT)  # takes back the system prompt
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
    expect(talker.page).to_have_url(f"{talker.address}/?threads=2&context=4096&model=mini#{chat}")
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


def test_keyboard_alone_and_a_phone(climber: ChatPage, tmp_path: Path) -> None:
    climber.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    climber.climb()
    climber.start()
    climber.configure(temperature=0, max_tokens=SHORT)
    climber.ask(FIRST)
    panel, keyboard = Panel(climber.page), climber.page.keyboard

    def tab_to(testid: str) -> None:
        for _ in range(60):
            if focus(climber.page) == testid:
                return
            keyboard.press("Tab")
        pytest.fail(f"Tab never reaches {testid}")

    tab_to("history")
    keyboard.press("Enter")
    expect(panel.get("history-dialog")).to_be_visible()
    assert climber.page.evaluate("document.querySelector('.history').matches(':modal')")
    keyboard.press("Escape")
    expect(panel.get("history-dialog")).to_be_hidden()
    assert focus(climber.page) == "history"
    keyboard.press("Enter")
    expect(panel.get("history-dialog")).to_be_visible()
    tab_to("more")
    keyboard.press("Enter")
    tab_to("rename")
    keyboard.press("Enter")
    keyboard.type("Pottery")
    keyboard.press("Enter")
    expect(panel.titles).to_have_text(["Pottery"])
    assert focus(climber.page) == "open-conversation"
    keyboard.press("Enter")
    expect(panel.get("history-dialog")).to_be_hidden()  # a drawer gives way
    expect(climber.get("input")).to_be_focused()

    panel.open()
    panel.act("Pottery", "delete")
    expect(panel.get("undo")).to_be_focused()
    keyboard.press("Enter")
    expect(panel.titles).to_have_text(["Pottery"])
    panel.tools()
    panel.bring(write(tmp_path / "some.json", exported(30)))
    panel.expect_status("30 conversations imported.")
    wide = "document.documentElement.scrollWidth > innerWidth"
    body = "(node) => node.scrollWidth > node.clientWidth"
    assert not climber.page.evaluate(wide)
    assert not panel.get("history-dialog").evaluate(body)
    panel.get("history-search").fill("needle7")
    panel.expect_status("1 conversation found.")
    panel.choose("Question 7")
    expect(panel.get("history-dialog")).to_be_hidden()
    expect(climber.page.locator(".bubble")).to_have_text(["Question 7"])
    assert not climber.page.evaluate(wide)
