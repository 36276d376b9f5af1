"""axe-core, narrow screens and languages in what opens beside a conversation: the library, privacy,
servers, conversations, downloads, notices of other tabs and of new versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_page import ChatPage, visit
from tests.browser.conversations import FIRST, Panel, exported, write
from tests.browser.fault_server import TOKEN, FaultServer
from tests.browser.offline_site import kept
from tests.browser.server_site import ServerDialog, allowing
from tests.browser.shelf import SMALL_DEVICE, shelf
from tests.browser.site import write_files
from tests.browser.test_accessibility import DESKTOP, PHONE, Check, violations
from tests.browser.test_page_conversation_faults import second_tab
from tests.browser.test_page_downloads import METERED
from tests.browser.test_page_library import open_library
from tests.browser.test_page_words import english_left

UNFOLD = """() => {
  for (const each of document.querySelectorAll("dialog[open] details")) each.open = true;
}"""
# As when another tab has changed over to a new version.
CHANGED_OVER = 'navigator.serviceWorker.dispatchEvent(new Event("controllerchange"))'
ROOM = 20  # tokens of an answer
NAMES = {"fits", "larger", "tight", "raised", "embeds"}  # of models, in any language

Look = Callable[[ChatPage, str], None]


@pytest.fixture(scope="module")
def site(faults: FaultServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Five models, and a server that may be named."""
    models = write_files(shelf(), tmp_path_factory.mktemp("shelf"))
    with allowing(models, faults.origin) as address:
        yield address


def start(chat: ChatPage, check: Check) -> None:
    """What can be opened before there is a model."""
    chat.climb(model="fits")
    expect(chat.get("load")).to_be_enabled()
    open_library(chat)
    chat.page.evaluate(UNFOLD)
    check("library")
    chat.get("library-close").click()
    chat.get("load").click()
    expect(chat.get("metered-download")).to_be_visible()
    check("a metered connection")
    chat.page.route("**/weights/*", lambda route: None)
    chat.get("metered-download").click()
    chat.get("pause").click()
    expect(chat.get("pause")).to_be_enabled()
    check("a download that pauses")
    chat.get("cancel").click()
    chat.page.unroute("**/weights/*")
    expect(chat.get("load")).to_be_visible()


def server(chat: ChatPage, faults: FaultServer, check: Check) -> None:
    dialog = ServerDialog(chat)
    dialog.get("start").click()
    check("server dialog")
    dialog.connect("http://127.0.0.1:65000")
    dialog.expect_fault("server-not-allowed")
    check("a server that is not allowed")
    dialog.connect(faults.base("locked"), "wrong")
    dialog.expect_fault("server-token")
    check("a server that wants another token")
    dialog.connect(faults.base("locked"), TOKEN)
    expect(dialog.get("use")).to_be_visible()
    check("what a server will be sent")
    dialog.get("use").click()
    check("a server chosen")
    chat.ask(FIRST)
    check("a server's answer")
    dialog.get("chip").click()
    dialog.choose(faults.base("missing"))
    chat.send(FIRST)
    chat.expect_notice("server-missing")
    chat.problems.clear()  # the browser's own words on 401 and 404
    check("a server's fault")
    dialog.get("leave").click()
    expect(dialog.get("chip")).to_be_hidden()


def privacy(chat: ChatPage, check: Check) -> None:
    chat.get("privacy-start").click()
    expect(chat.get("privacy-summary")).to_be_visible()
    check("privacy panel")
    chat.page.evaluate(UNFOLD)
    check("privacy panel, unfolded")
    chat.get("privacy-close").click()


def conversations(chat: ChatPage, folder: Path, check: Check) -> None:
    panel = Panel(chat.page)
    panel.open()
    panel.tools()
    panel.bring(write(folder / "broken.json", "{}"))
    expect(panel.get("history-status")).not_to_have_text("")
    check("a file that is no export")
    panel.bring(write(folder / "good.json", exported(3)))
    expect(panel.titles).to_have_count(4)
    check("conversations imported")
    panel.get("delete-all").click()
    check("about to delete all conversations")
    panel.get("confirm-delete").click()
    expect(panel.titles).to_have_count(0)
    check("all conversations deleted")
    panel.close()


def model(chat: ChatPage, check: Check) -> None:
    """A model that is here, and may be deleted again."""
    chat.get("load").click()
    chat.get("metered-download").click()
    expect(chat.get("input")).to_be_visible()
    open_library(chat, "models")
    chat.page.locator("[data-slug=fits]").get_by_test_id("library-delete").click()
    check("about to delete a model")
    chat.get("library-close").click()


def versions(chat: ChatPage, look: Look) -> None:
    """Two tabs, and the news of another version of the site."""
    chat.climb(model="fits")
    chat.start()
    chat.configure(temperature=0, max_tokens=ROOM)
    chat.ask(FIRST)
    other = second_tab(chat, chat.page.url)
    expect(other.get("note-elsewhere")).to_be_visible()
    look(other, "open in another tab")
    other.page.close()
    kept(chat)
    chat.page.reload()
    expect(chat.get("input")).to_be_visible()
    kept(chat)
    chat.page.evaluate(CHANGED_OVER)
    expect(chat.get("update-now")).to_be_visible()
    look(chat, "a new version")
    chat.get("settings").click()
    look(chat, "settings, with how use without a network stands")
    chat.get("settings-close").click()


def tour(chat: ChatPage, faults: FaultServer, folder: Path, look: Look) -> None:
    """Through all that opens; `look` is called in each state."""
    chat.context.add_init_script(METERED)

    def check(state: str) -> None:
        look(chat, state)

    start(chat, check)
    privacy(chat, check)
    server(chat, faults, check)
    conversations(chat, folder, check)
    chat.climb(model="fits")
    model(chat, check)


SAMPLE = [pytest.param("it", "light", DESKTOP, id="it-light-desktop")]
OTHERS = [
    pytest.param(language, scheme, device, id=f"{language}-{scheme}-{name}", marks=pytest.mark.soak)
    for language in ("en", "fr", "it")
    for scheme in ("light", "dark")
    for name, device in (("desktop", DESKTOP), ("phone", PHONE))
    if (language, scheme, name) != ("it", "light", "desktop")
]


@pytest.mark.parametrize(("language", "scheme", "device"), [*SAMPLE, *OTHERS])
def test_all_that_opens(
    chromium: Browser,
    site: str,
    faults: FaultServer,
    tmp_path: Path,
    language: str,
    scheme: str,
    device: dict[str, Any],
) -> None:
    """axe finds nothing, nothing is wider than the screen, and no English is left."""
    found: list[str] = []

    def look(chat: ChatPage, state: str) -> None:
        found.extend(violations(chat, state))
        english = english_left(chat, language) if language != "en" else []
        found.extend(f"{state}: English: {text}" for text in english if text not in NAMES)

    options = {"locale": language, "color_scheme": scheme, **device}
    with visit(chromium, site, **options) as chat:
        chat.context.add_init_script(SMALL_DEVICE)
        tour(chat, faults, tmp_path, look)
        chat.assert_no_problems()
    with visit(chromium, site, service_workers="allow", **options) as chat:
        versions(chat, look)
        chat.assert_no_problems()
    assert found == []
