"""A model is downloaded: paused, reloaded in the middle, given up, and taken up again."""

from __future__ import annotations

import json
import re

from playwright.sync_api import expect

from tests.browser.chat_page import until
from tests.browser.library import card, open_library
from tests.browser.padded import sha256
from tests.walk.journey import Journey
from tests.walk.models import LARGE_SHARDS, large_shards

LAST = LARGE_SHARDS[-1]
# Names of what is kept; files move while they are looked at.
KEPT = """(async () => {
  const root = await navigator.storage.getDirectory();
  const folder = await (await root.getDirectoryHandle("webkiln")).getDirectoryHandle("files");
  return Array.fromAsync(folder.keys());
})().catch(() => [])"""


def downloads(journey: Journey) -> None:
    """The last file keeps the person waiting meanwhile."""
    with journey.place.line.holding(LAST):
        begins(journey)
        pauses(journey)
        reloads(journey)
        gives_up(journey)
        journey.get("load").click()
        expect(journey.get("progress-text")).to_contain_text("kB from this browser")
    expect(journey.get("input")).to_be_visible()
    journey.chat.expect_running(journey.where)
    asked = journey.place.line.asked
    paths = [f"{journey.place.path}/models/large/{name}" for name in LARGE_SHARDS]
    assert [asked[path] for path in paths[:-1]] == [1, 1, 1]


def begins(journey: Journey) -> None:
    open_library(journey.chat, "models")
    choose = card(journey.chat, "large").get_by_test_id("library-choose")
    expect(choose).to_have_text("Download and chat")
    choose.click()
    expect(journey.get("model-name")).to_have_text("large")
    first = json.dumps([sha256(content) for content in large_shards()[:-1]])
    until(journey.chat.page, f"new Set({first}).isSubsetOf(new Set(await {KEPT}))")
    expect(journey.get("progress-text")).to_contain_text(re.compile(r"6\d\d.\d kB of 80"))


def pauses(journey: Journey) -> None:
    pause = journey.get("pause")
    expect(pause).to_have_text("Pause")
    pause.click()
    expect(pause).to_have_text("Resume")
    expect(journey.get("progress-text")).to_contain_text("paused")
    pause.click()
    expect(pause).to_have_text("Pause")
    expect(journey.get("progress-text")).not_to_contain_text("paused")


def reloads(journey: Journey) -> None:
    """What was begun goes on by itself."""
    journey.chat.page.reload()
    expect(journey.get("progress-text")).to_contain_text("kB from this browser")


def gives_up(journey: Journey) -> None:
    journey.get("cancel").click()
    expect(journey.get("load")).to_be_visible()
    expect(journey.get("progress")).to_be_hidden()


STEPS = [downloads]
