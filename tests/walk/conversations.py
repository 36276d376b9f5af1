"""Conversations are listed, found, renamed, saved to files, brought back and deleted."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import expect

from tests.browser.conversations import FIRST, SECOND, Panel, exported, kept, write
from tests.walk.journey import Journey

CODE = 'def fire(degrees: int) -> str:\n    return f"{degrees} degrees"\n'
NAME = "Pottery"


def lists_and_finds_them(journey: Journey) -> None:
    panel = Panel(journey.chat.page)
    panel.open()
    expect(panel.titles).to_have_text([FIRST, SECOND, FIRST])  # newest first
    expect(panel.get("history-list").locator("h3")).to_have_text(["Today"])
    panel.get("history-search").fill("kiln")
    panel.expect_status("1 conversation found.")
    expect(panel.titles).to_have_text([SECOND])
    panel.get("history-search").fill("")
    expect(panel.titles).to_have_count(3)


def renames_one(journey: Journey) -> None:
    panel = Panel(journey.chat.page)
    panel.act(SECOND, "rename")
    panel.get("rename-field").fill(NAME)
    journey.chat.page.keyboard.press("Enter")
    expect(panel.titles).to_have_text([FIRST, NAME, FIRST])


def saves_them(journey: Journey) -> None:
    panel = Panel(journey.chat.page)
    row = panel.row(NAME)
    row.get_by_test_id("more").click()
    text = panel.download(row.get_by_test_id("export-md"), journey.folder).read_text()
    assert text.startswith(f"# {NAME}\n")
    assert f"## You\n\n{SECOND}\n\n## Answer\n\n" in text
    row.get_by_test_id("more").click()
    panel.tools()
    saved = panel.download(panel.get("export-all-json"), journey.folder)
    assert [each["title"] for each in content(saved.read_text())] == [FIRST, NAME, FIRST]
    saved.rename(journey.folder / "all.json")
    panel.tools()


def content(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["conversations"]
    return found


def deletes_one(journey: Journey) -> None:
    """It is gone at once; as long as the panel is open it can be had back."""
    panel = Panel(journey.chat.page)
    panel.act(NAME, "delete")
    expect(panel.titles).to_have_text([FIRST, FIRST])
    panel.get("undo").click()
    expect(panel.titles).to_have_text([FIRST, NAME, FIRST])
    panel.act(NAME, "delete")
    panel.expect_status(f"Deleted: {NAME}.")
    panel.close()
    panel.open()
    expect(panel.get("undo")).to_be_hidden()
    assert SECOND not in kept(journey.chat)


def brings_them_back(journey: Journey) -> None:
    panel = Panel(journey.chat.page)
    panel.tools()
    panel.bring(journey.folder / "all.json")
    panel.expect_status("1 conversation imported.", "2 conversations were here already.")
    expect(panel.titles).to_have_text([FIRST, NAME, FIRST])
    panel.close()


def goes_back_to_another_model(journey: Journey) -> None:
    """A conversation remembers which one it was held with."""
    panel = Panel(journey.chat.page)
    panel.open()
    panel.titles.last.click()
    expect(journey.get("note-model")).to_contain_text("This conversation was held with small.")
    journey.get("use-model").click()
    expect(journey.get("model-name")).to_have_text("small")
    expect(journey.get("input")).to_be_visible()
    expect(journey.chat.page.locator(".bubble")).to_have_text([FIRST])
    journey.chat.ask("And a pot")
    journey.chat.page.go_back()
    expect(journey.get("model-name")).to_have_text("large")
    expect(journey.get("input")).to_be_visible()


def copies_code(journey: Journey) -> None:
    """From a conversation that somebody else had."""
    chat, panel = journey.chat, Panel(journey.chat.page)
    file = exported(1)
    [talk] = file["conversations"]
    talk["turns"][1]["content"] = f"Like this:\n\n```python\n{CODE}```\n"
    panel.open()
    panel.bring(write(journey.folder / "code.json", file))
    panel.expect_status("1 conversation imported.")
    panel.choose(talk["title"])
    expect(chat.page.locator(".hljs-keyword").first).to_be_visible()
    if not journey.phone:
        panel.close()
    journey.get("copy-code").click()
    expect(journey.get("copy-code")).to_have_attribute("data-icon", "done")
    assert chat.page.evaluate("navigator.clipboard.readText()") == CODE


STEPS = [
    lists_and_finds_them,
    renames_one,
    saves_them,
    deletes_one,
    brings_them_back,
    goes_back_to_another_model,
    copies_code,
]
