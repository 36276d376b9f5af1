"""A person at the panel of conversations, and what their browser keeps of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.chat_page import ChatPage

FIRST, SECOND = "What is clay", "And a kiln"
PHONE = {"width": 360, "height": 740}

LONG = 3000  # tokens: time enough for what happens meanwhile
# Everything the page keeps of conversations, wherever it is.
KEPT = """async () => {
  const answer = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const database = await answer(indexedDB.open("webkiln"));
  const stores = {};
  for (const name of database.objectStoreNames) {
    stores[name] = await answer(database.transaction(name).objectStore(name).getAll());
  }
  database.close();
  return JSON.stringify({ ...stores, local: { ...localStorage }, session: { ...sessionStorage } });
}"""
# What an answer shows, kept where a reload does not reach: `name` of a window outlives documents.
NOTE_SHOWN = """() => {
  window.name = "";
  new MutationObserver(() => {
    window.name = [...document.querySelectorAll(".answer-body")].at(-1)?.textContent ?? "";
  }).observe(document.getElementById("log"), { childList: true, subtree: true });
}"""
PUT = """async ([store, record]) => {
  const answer = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const database = await answer(indexedDB.open("webkiln"));
  await answer(database.transaction(store, "readwrite").objectStore(store).put(record));
  database.close();
}"""


class Panel:
    """The panel of one tab."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def get(self, testid: str) -> Locator:
        return self.page.get_by_test_id(testid)

    @property
    def titles(self) -> Locator:
        return self.page.locator(".history-title")

    def open(self) -> None:
        self.get("history").click()
        expect(self.get("history-dialog")).to_be_visible()

    def close(self) -> None:
        self.get("history-close").click()
        expect(self.get("history-dialog")).to_be_hidden()

    def row(self, title: str) -> Locator:
        return self.get("conversation").filter(has=self.page.get_by_text(title, exact=True))

    def choose(self, title: str) -> None:
        self.row(title).get_by_test_id("open-conversation").click()

    def act(self, title: str, action: str) -> None:
        """A button of a conversation's row."""
        row = self.row(title)
        row.get_by_test_id("more").click()
        row.get_by_test_id(action).click()

    def tools(self) -> None:
        self.get("history-tools").locator("summary").click()

    def bring(self, file: Path) -> None:
        self.get("import-file").set_input_files(file)

    def download(self, button: Locator, folder: Path) -> Path:
        with self.page.expect_download() as event:
            button.click()
        path = folder / event.value.suggested_filename
        event.value.save_as(path)
        return path

    def expect_status(self, *texts: str) -> None:
        for text in texts:
            expect(self.get("history-status")).to_contain_text(text)


def kept(chat: ChatPage) -> str:
    """What the browser keeps of conversations, as one text."""
    everything: str = chat.page.evaluate(KEPT)
    return everything


def put(chat: ChatPage, store: str, record: object) -> None:
    """Writes a record as a fault, or another version of the page, might have."""
    chat.page.evaluate(PUT, [store, record])


def exported(count: int, *, words: int = 30) -> dict[str, Any]:
    """An export with this many conversations, one an hour, each with a word of its own."""
    return {
        "format": "webkiln-conversations",
        "version": 1,
        "exported": "2026-11-22T00:00:00.000Z",
        "conversations": [
            {
                "id": f"{number:032x}",
                "title": f"Question {number}",
                "named": False,
                "model": "mini",
                "created": f"2026-{1 + number // 672:02}-{1 + number // 24 % 28:02}T00:00:00.000Z",
                "updated": f"2026-{1 + number // 672:02}-{1 + number // 24 % 28:02}"
                f"T{number % 24:02}:00:00.000Z",
                "system": "",
                "turns": [
                    {"role": "user", "content": f"Question {number}"},
                    {
                        "role": "assistant",
                        "content": f"{'kiln clay glaze ' * words}needle{number}.",
                        "finish": "stop",
                    },
                ],
            }
            for number in range(count)
        ],
    }


def write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def begin_long(chat: ChatPage) -> None:
    """An answer is under way, and what it shows is noted."""
    chat.configure(temperature=0, max_tokens=LONG)
    chat.page.evaluate(NOTE_SHOWN)
    chat.send(FIRST)
    chat.started()


def shown(chat: ChatPage) -> str:
    return chat.get("answer").last.inner_text()


def reload_in_mid_answer(chat: ChatPage) -> str:
    """What had been shown, all of which is there again, as an answer that was interrupted."""
    chat.page.reload()
    expect(chat.get("input")).to_be_visible()
    seen: str = chat.page.evaluate("window.name.trim()")
    assert seen != ""
    assert shown(chat).startswith(seen)
    expect(chat.get("finish-note").last).to_have_text("This answer was interrupted.")
    return seen


def go_on_and_stop(chat: ChatPage) -> str:
    """Has an interrupted answer continued for a moment; its text."""
    chat.get("continue").last.click()
    expect(chat.get("message-assistant").last).to_have_attribute("data-state", "busy")
    chat.get("stop").click()
    return chat.answered()
