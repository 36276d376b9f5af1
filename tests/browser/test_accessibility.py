"""axe-core in every main state of the page; keys alone; phones; no motion; the system's colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
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
# Colours on their way to others are nobody's choice.
SETTLE = """() => {
  for (const each of document.getAnimations()) {
    if (each.effect.getComputedTiming().endTime !== Infinity) each.finish();
  }
}"""
# What reaches beyond the edge of the screen, or of an open dialog: nobody scrolls sideways but in
# code and tables.
TOO_WIDE = """() => {
  const dialogs = [...document.querySelectorAll("dialog[open], dialog[open] *")].filter((node) =>
    node.checkVisibility() && /auto|scroll/.test(getComputedStyle(node).overflowX) &&
    !node.matches("pre, input, textarea, select"));
  return [document.documentElement, ...dialogs]
    .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
    .map((node) => `${node.outerHTML.slice(0, 80)}: ${node.scrollWidth} > ${node.clientWidth}`);
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
    conversations(chat, check)
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


def conversations(chat: ChatPage, check: Check) -> None:
    chat.get("history").click()
    chat.get("history-tools").locator("summary").click()
    chat.get("delete-all").click()
    chat.get("more").first.click()
    check("conversations, with all that can be done")
    chat.get("keep-all").click()
    chat.get("rename").click()
    check("renaming a conversation")
    chat.page.keyboard.press("Escape")
    chat.get("history-search").fill("text")
    expect(chat.get("conversation").locator("mark")).to_be_visible()
    check("searching conversations")
    chat.get("history-search").fill("nowhere")
    check("no conversation found")
    chat.get("history-search").fill("text")
    expect(chat.get("conversation").locator("mark")).to_be_visible()
    chat.get("more").first.click()
    chat.get("delete").click()
    check("a conversation deleted")
    chat.get("undo").click()
    expect(chat.get("conversation")).to_have_count(1)
    chat.get("history-close").click()


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
    chat.page.evaluate(SETTLE)
    if not chat.page.evaluate("'axe' in window"):
        chat.page.evaluate(AXE.read_text())
    found: list[str] = chat.page.evaluate(CHECK) + chat.page.evaluate(TOO_WIDE)
    return [f"{state}: {each}" for each in found]


SAMPLE = [pytest.param("fr", "dark", PHONE, id="fr-dark-phone")]
OTHERS = [
    pytest.param(language, scheme, device, id=f"{language}-{scheme}-{name}")
    for language in ("en", "fr", "it")
    for scheme in ("light", "dark")
    for name, device in (("desktop", DESKTOP), ("phone", PHONE))
    if (language, scheme, name) != ("fr", "dark", "phone")
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


def test_the_check_sees_faults(visitor_with: Callable[..., ChatPage]) -> None:
    chat = visitor_with()
    say(chat, "")
    chat.climb()
    expect(chat.get("load")).to_be_enabled()
    chat.page.evaluate("""() => {
      document.querySelector("#load").replaceChildren();
      document.querySelector(".lead").className = "rung chip";
      document.querySelector("main").append(document.createElement("input"));
      document.querySelector("#start").insertAdjacentText("beforeend", "x".repeat(20));
    }""")
    found = "\n".join(violations(chat, "broken"))
    assert "button-name" in found
    assert "label" in found


FOCUSED = "document.activeElement?.dataset.testid ?? document.activeElement.id"


def press_until(chat: ChatPage, testid: str, key: str = "Tab") -> None:
    """Presses a key until that element has the focus."""
    passed: list[str] = []
    for _ in range(60):
        chat.page.keyboard.press(key)
        passed.append(chat.page.evaluate(FOCUSED))
        if passed[-1] == testid:
            return
    pytest.fail(f"{key} never reaches {testid}, only {passed}")


def test_keys_alone_lead_through_an_answer(visitor_with: Callable[..., ChatPage]) -> None:
    """Skip link, code, answering again, a full context, language: the focus is never lost."""
    chat = visitor_with(permissions=["clipboard-read", "clipboard-write"])
    keyboard, tab_to = chat.page.keyboard, partial(press_until, chat)
    say(chat, ANSWER)
    chat.climb()
    expect(chat.get("load")).to_be_enabled()
    tab_to("load")
    keyboard.press("Enter")
    expect(chat.get("input")).to_be_focused()
    keyboard.type("Everything")
    tab_to("send")
    keyboard.press("Enter")
    chat.answered()
    expect(chat.get("input")).to_be_focused()
    tab_to("copy-code", "Shift+Tab")
    keyboard.press("Enter")
    expect(chat.get("copy-code").last).to_have_attribute("data-icon", "done")
    assert chat.page.evaluate("navigator.clipboard.readText()") == "- old\n+ new\n"
    chat.page.evaluate("window.script.perSecond = 20")
    tab_to("regenerate")
    keyboard.press("Enter")
    expect(chat.get("stop")).to_be_focused()
    keyboard.press("Escape")
    chat.answered()
    expect(chat.get("input")).to_be_focused()
    chat.page.evaluate("window.fault = 'context-overflow'")
    keyboard.type("More")
    keyboard.press("Enter")
    expect(chat.get("overflow")).to_be_visible()
    chat.page.evaluate("window.fault = null; window.script.perSecond = null")
    tab_to("drop-oldest", "Shift+Tab")
    keyboard.press("Enter")
    chat.answered()
    expect(chat.get("input")).to_be_focused()
    tab_to("settings", "Shift+Tab")
    keyboard.press("Enter")
    tab_to("language")
    with chat.page.expect_navigation():
        keyboard.press("ArrowDown")
    expect(chat.page.locator("html")).to_have_attribute("lang", "en")
    expect(chat.get("input")).to_be_visible()


def test_the_skip_link_leads_to_the_message_box(visitor_with: Callable[..., ChatPage]) -> None:
    chat = visitor_with()
    say(chat, ANSWER)
    chat.climb()
    chat.start()
    chat.get("rung").focus()
    for _ in range(5):
        chat.page.keyboard.press("Shift+Tab")
        if chat.page.evaluate("document.activeElement.className") == "skip":
            break
    expect(chat.page.locator(".skip")).to_be_in_viewport()
    chat.page.keyboard.press("Enter")
    expect(chat.get("input")).to_be_focused()


@pytest.mark.parametrize("language", ["en", "fr", "it"])
def test_everything_fits_a_phone(visitor_with: Callable[..., ChatPage], language: str) -> None:
    """Nothing reaches beyond 360 pixels, and what is pressed is large enough."""
    chat = visitor_with(locale=language, **PHONE)
    found: list[str] = []
    small = """() => [...document.querySelectorAll("button, select, summary")]
      .filter((node) => node.checkVisibility() && node.getBoundingClientRect().height < 24)
      .map((node) => node.outerHTML)"""

    def look(state: str) -> None:
        wide = chat.page.evaluate(TOO_WIDE) + chat.page.evaluate(small)
        found.extend(f"{state}: {each}" for each in wide)

    walk(chat, look)
    assert found == []


def test_nothing_moves_where_no_motion_is_wanted(visitor_with: Callable[..., ChatPage]) -> None:
    chat = visitor_with(reduced_motion="reduce", locale="fr")
    moving: list[str] = []

    def look(state: str) -> None:
        count: int = chat.page.evaluate("document.getAnimations().length")
        moving.extend([state] * count)

    walk(chat, look)
    assert moving == []


# Icons are drawn as backgrounds, which forced colours take away unless told otherwise.
INVISIBLE = """() => [...document.querySelectorAll("[data-icon]")]
  .filter((node) => node.checkVisibility())
  .filter((node) => {
    const icon = getComputedStyle(node, "::before").backgroundColor;
    return icon === getComputedStyle(node).backgroundColor;
  })
  .map((node) => node.outerHTML)"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_icons_show_in_the_colours_of_the_system(
    visitor_with: Callable[..., ChatPage], scheme: str
) -> None:
    chat = visitor_with(forced_colors="active", color_scheme=scheme)
    invisible: list[str] = []
    walk(chat, lambda state: invisible.extend(chat.page.evaluate(INVISIBLE)))
    assert invisible == []
