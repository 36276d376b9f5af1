"""Somebody at the chat page, in any browser."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.browser.chat_page import STORED_TURNS, WATCH_ANSWERS
from tests.browser.offline_site import relist
from tests.other_browsers.tab import PATIENCE, Tab
from web.built import Built, find_page
from web.verify import serving

# What goes wrong, kept over reloads: WebKit's driver tells nothing of the console.
NOTE_PROBLEMS = """{
  const key = "test.problems";
  const note = (text) => sessionStorage.setItem(
    key, JSON.stringify([...JSON.parse(sessionStorage.getItem(key) ?? "[]"), text]));
  const { error } = console;
  console.error = (...words) => { note(words.join(" ")); error(...words); };
  addEventListener("error", (event) => note(event.message ?? `${event.target.outerHTML}`), true);
  addEventListener("unhandledrejection", (event) => note(String(event.reason)));
  addEventListener("securitypolicyviolation",
    (event) => note(`policy: ${event.violatedDirective} ${event.blockedURI}`));
}
"""
VISIBLE = "return document.querySelector(arg)?.checkVisibility() === true;"
TEXTS = "return [...document.querySelectorAll(arg)].map((element) => element.innerText.trim());"


class Visitor:
    """The page by its test ids; what is awaited fails with what the page says instead."""

    def __init__(self, tab: Tab, address: str) -> None:
        self.tab = tab
        self.address = address

    def open(self, **query: str) -> None:
        self.tab.open(f"{self.address}/?{urlencode(query)}")

    def load(self, **query: str) -> None:
        """Opens the page for the first time and loads the model."""
        self.open(**query)
        self.until("return document.getElementById('load').disabled === false;")
        self.click("load")
        self.until(VISIBLE, "#input")

    def click(self, testid: str) -> None:
        self.tab.click(_by(testid))

    def configure(self, **numbers: float) -> None:
        self.click("settings")
        for name, value in numbers.items():
            self.tab.fill(_by(f"setting-{name}"), str(value))
        self.click("settings-close")

    def ask(self, text: str) -> str:
        """Sends a question; the whole answer. `window.seen` holds what it looked like meanwhile."""
        self.tab.run(f"({WATCH_ANSWERS})();")
        before = len(self.texts("message-assistant"))
        self.tab.fill(_by("input"), text)
        self.click("send")
        self.until(
            """const found = document.querySelectorAll("[data-testid=message-assistant]");
            return found.length > arg && found[found.length - 1].dataset.state === "done";""",
            before,
        )
        return self.texts("answer")[-1]

    def texts(self, testid: str) -> list[str]:
        """Of every element of this name, as a person reads it."""
        found: list[str] = self.tab.run(TEXTS, _by(testid))
        return found

    @property
    def turns(self) -> list[dict[str, Any]]:
        """The conversation that is open, as the browser keeps it."""
        self.until("return document.getElementById('log').dataset.saved === 'true';")
        turns: list[dict[str, Any]] = self.tab.run(f"return await ({STORED_TURNS})();")
        return turns

    @property
    def problems(self) -> list[str]:
        """Console errors, uncaught exceptions and policy violations since the tab was opened."""
        noted = self.tab.run("return sessionStorage.getItem('test.problems');")
        return [*self.tab.problems, *json.loads(noted or "[]")]

    def until(self, body: str, argument: Any = None) -> None:
        """Waits for a true answer."""
        deadline = time.monotonic() + PATIENCE
        while not self.tab.run(body, argument):
            if time.monotonic() > deadline:
                page = self.tab.run("return document.body.innerText;")
                raise AssertionError(f"waited {PATIENCE} s for: {body}\n{self.problems}\n{page}")
            time.sleep(0.1)


def _by(testid: str) -> str:
    return f"[data-testid={testid}]"


@contextmanager
def watched_site(models: Path, scratch: Path) -> Iterator[str]:
    """The site as it is, but for a page that notes its problems; yields the address."""
    page = shutil.copytree(find_page(), scratch / "page")
    app = Built(page).app()
    script = page / app.source(f"{app.assets}page.js")
    script.write_text(NOTE_PROBLEMS + script.read_text())
    relist(page)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("web.server.find_page", lambda: page)
        with serving(models) as address:
            yield address
