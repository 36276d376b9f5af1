"""axe-core in every main state of the page; keys alone; phones; no motion; the system's colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_page import ChatPage, visit
from tests.browser.scripted import say

AXE = Path(__file__).parents[2] / "static" / "node_modules" / "axe-core" / "axe.min.js"
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}

CHECK = """async () => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const { violations } = await axe.run(document, { runOnly: tags, resultTypes: ["violations"] });
  return violations.map(({ id, help, nodes }) =>
    `${id}: ${help}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}"""
# What reaches beyond the edge of the screen, where the page itself cannot be scrolled to.
TOO_WIDE = """() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  return scrollWidth > clientWidth ? [`${scrollWidth} > ${clientWidth}`] : [];
}"""

ANSWER = """# A heading

Some **bold** text with `code`, a [link](https://example.org/) and a quote:

> quoted

1. one
2. two

| a | b |
|---|---|
| 1 | 2 |

```python
# a comment
@decorated(key="text", number=12)
class Kiln(Base):
    def fire(self, degrees: int) -> None:
        return None
```

```html
<a href="#">text</a><!-- comment -->
```

```diff
- old
+ new
```
"""

Check = Callable[[str], None]


def walk(chat: ChatPage, check: Check) -> None:
    """Takes the page through its main states; `check` is called in each."""
    say(chat, ANSWER)
    chat.climb(context="many")
    expect(chat.get("load")).to_be_enabled()
    chat.get("checked").locator("summary").click()
    check("start, with what was checked and a notice")
    chat.page.evaluate("window.stuck = true")
    chat.get("load").click()
    expect(chat.get("progress-text")).to_contain_text("50")
    check("loading")
    chat.get("cancel").click()
    chat.page.evaluate("window.stuck = false")
    chat.climb()
    chat.start()
    check("welcome")
    chat.page.evaluate("window.script.perSecond = 20")
    chat.send("Everything, please")
    chat.started()
    check("answering")
    chat.get("stop").click()
    chat.answered()
    check("stopped")
    chat.page.evaluate("window.script.perSecond = null")
    chat.regenerate()
    expect(chat.page.locator(".hljs-keyword").first).to_be_visible()
    check("answered")
    panels(chat, check)
    trouble(chat, check)


def panels(chat: ChatPage, check: Check) -> None:
    chat.get("settings").click()
    chat.get("setting-top_p").fill("7")
    check("settings, with a wrong number")
    chat.get("settings-close").click()
    chat.get("rung").click()
    chat.get("device-dialog").locator("summary").click()
    check("device panel")
    chat.get("device-close").click()


def trouble(chat: ChatPage, check: Check) -> None:
    """A full context, old turns that were dropped, and an engine that failed."""
    chat.page.evaluate("window.fault = 'context-overflow'")
    chat.send("And more")
    expect(chat.get("overflow")).to_be_visible()
    check("overflow")
    chat.page.evaluate("window.fault = null")
    chat.get("drop-oldest").click()
    expect(chat.page.locator(".dropped").first).to_be_visible()
    chat.answered()
    check("dropped turns")
    chat.page.evaluate("window.fault = 'worker-lost'")
    chat.send("And more")
    expect(chat.get("error")).to_be_visible()
    chat.get("trouble-details").locator("summary").click()
    check("error")


@pytest.fixture
def visitor_with(chromium: Browser, mini_site: str) -> Iterator[Callable[..., ChatPage]]:
    """Makes somebody with this device."""
    made = []

    def make(**device: Any) -> ChatPage:
        visitor = visit(chromium, mini_site, **device)
        made.append(visitor)
        chat = visitor.__enter__()
        made_pages.append(chat)
        return chat

    made_pages: list[ChatPage] = []
    yield make
    for chat in made_pages:
        chat.assert_clean()
    for visitor in made:
        visitor.__exit__(None, None, None)


def violations(chat: ChatPage, state: str) -> list[str]:
    # Transitions are over: colours on their way are nobody's choice.
    chat.page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")
    if not chat.page.evaluate("'axe' in window"):
        chat.page.evaluate(AXE.read_text())
    found: list[str] = chat.page.evaluate(CHECK) + chat.page.evaluate(TOO_WIDE)
    return [f"{state}: {each}" for each in found]


SAMPLE = [
    pytest.param("en", "light", DESKTOP, id="en-light-desktop"),
    pytest.param("fr", "dark", PHONE, id="fr-dark-phone"),
]
OTHERS = [
    pytest.param(language, scheme, device, id=f"{language}-{scheme}-{name}")
    for language in ("en", "fr", "it")
    for scheme in ("light", "dark")
    for name, device in (("desktop", DESKTOP), ("phone", PHONE))
    if (language, scheme, name) not in {("en", "light", "desktop"), ("fr", "dark", "phone")}
]


def assert_accessible(
    make: Callable[..., ChatPage], language: str, scheme: str, device: dict[str, Any]
) -> None:
    chat = make(locale=language, color_scheme=scheme, **device)
    found: list[str] = []
    walk(chat, lambda state: found.extend(violations(chat, state)))
    assert found == []


@pytest.mark.parametrize(("language", "scheme", "device"), SAMPLE)
def test_axe_finds_nothing(
    visitor_with: Callable[..., ChatPage], language: str, scheme: str, device: dict[str, Any]
) -> None:
    assert_accessible(visitor_with, language, scheme, device)


@pytest.mark.soak
@pytest.mark.parametrize(("language", "scheme", "device"), OTHERS)
def test_axe_finds_nothing_elsewhere(
    visitor_with: Callable[..., ChatPage], language: str, scheme: str, device: dict[str, Any]
) -> None:
    assert_accessible(visitor_with, language, scheme, device)
