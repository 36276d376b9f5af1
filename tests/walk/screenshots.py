"""The pictures of docs/screens.md: `python -m tests.walk.screenshots [DIR]`.

The page is as `llm-site serve` has it, and SmolLM2's words are its own; so are those of the server,
which is llama.cpp's. Models beside SmolLM2 are there for their verdicts alone.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect

from tests.browser.chat_page import ChatPage, visit
from tests.browser.fault_server import TOKEN
from tests.browser.miniature import Miniature
from tests.browser.offline_site import kept
from tests.browser.server_site import ServerDialog
from tests.browser.shelf import embeds, raised, shelved
from tests.browser.site import write_files
from tests.browser.wasm_miniature import WasmMiniature
from tests.support.llama_server import llama_server
from tests.support.smollm2 import smollm2_gguf
from tests.walk.models import slow
from tests.walk.places import CURRENT, Place, next_release, place
from web.browser import browser

MODEL = "smollm2-135m-instruct"
SCREENS = CURRENT / "docs" / "screens"
DESKTOP: dict[str, Any] = {"viewport": {"width": 1180, "height": 800}, "color_scheme": "light"}
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "color_scheme": "dark",
    "has_touch": True,
    "is_mobile": True,
}
# A panel that was scrolled is, when it is opened again.
TO_TOP = "document.querySelector('dialog[open]')?.scrollTo(0, 0)"
SKY = "Why is the sky blue?"
KILN = "Explain how a kiln works to a ten-year-old."
CODE = "Write a Python function that reverses a string."


@dataclass
class Session:
    """Somebody at the page, with a camera."""

    chat: ChatPage
    place: Place
    server: str
    newer: Path
    folder: Path

    def take(self, name: str) -> None:
        self.chat.page.mouse.move(0, 0)
        self.chat.page.evaluate(TO_TOP)
        path = self.folder / f"{name}.png"
        self.chat.page.screenshot(path=path, animations="disabled")
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB", flush=True)

    def ask(self, text: str, tokens: int) -> None:
        """In a conversation of its own."""
        self.chat.get("new-chat").click()
        self.chat.configure(temperature=0, max_tokens=tokens)
        self.chat.ask(text)

    def open(self, button: str, dialog: str, name: str) -> None:
        """A picture of a panel, which is closed then."""
        self.chat.get(button).click()
        expect(self.chat.get(f"{dialog}-dialog")).to_be_visible()
        self.take(name)
        self.chat.get(f"{dialog}-close").click()


def arrives(session: Session) -> None:
    chat = session.chat
    chat.page.goto(f"{chat.address}/")
    expect(chat.get("load")).to_be_enabled()
    session.take("start")
    chat.get("about-model").click()
    expect(chat.page.locator(".suggested")).to_have_count(1)
    expect(chat.page.locator(f"[data-slug={MODEL}]")).to_contain_text("estimated")
    expect(chat.get("library-dialog").get_by_role("status")).to_have_text("")
    session.take("library")
    chat.get("library-close").click()


def downloads(session: Session) -> None:
    """The line is slower than the picture: the last file waits for it."""
    chat = session.chat
    files = sorted((CURRENT / "models" / MODEL / "weights").iterdir())
    with session.place.line.holding(files[0].name):
        chat.get("load").click()
        expect(chat.get("progress-text")).to_have_text(re.compile(r"\d\d\.\d MB of .* left"))
        session.take("downloading")
    expect(chat.get("input")).to_be_visible()


def talks(session: Session) -> None:
    chat = session.chat
    session.ask(SKY, 120)
    session.ask(KILN, 120)
    session.ask(CODE, 320)
    expect(chat.page.locator(".hljs-keyword").first).to_be_visible()
    session.take("answer")
    chat.get("history").click()
    expect(chat.get("conversation")).to_have_count(3)
    session.take("conversations")
    chat.get("history-close").click()


def looks_around(session: Session) -> None:
    chat = session.chat
    kept(chat)
    session.open("settings", "settings", "settings")
    session.open("rung", "device", "device")
    chat.get("privacy").click()
    expect(chat.get("privacy-summary")).to_contain_text("nothing you typed was sent")
    session.take("privacy")
    chat.get("privacy-close").click()


def loses_the_network(session: Session) -> None:
    chat = session.chat
    chat.context.set_offline(True)
    session.place.line.cut()
    chat.page.reload()
    expect(chat.get("input")).to_be_visible()
    session.ask("What is clay made of?", 120)
    chat.get("privacy").click()
    expect(chat.get("privacy-page")).to_contain_text("answered by the service worker")
    session.take("offline")
    chat.get("privacy-close").click()
    session.place.line.mend()
    chat.context.set_offline(False)


def meets_a_new_version(session: Session) -> None:
    chat = session.chat
    session.place.deploy(session.newer)
    tab = chat.new_tab()
    tab.goto(f"{chat.address}/")
    expect(chat.get("update")).to_contain_text("A new version of this page is ready")
    tab.close()
    session.take("update")
    chat.get("update-close").click()


def asks_a_server(session: Session) -> None:
    chat, dialog = session.chat, ServerDialog(session.chat)
    chat.get("new-chat").click()
    chat.configure(temperature=0, max_tokens=60)
    chat.get("rung").click()
    dialog.get("offer-device").click()
    dialog.connect(session.server, TOKEN)
    expect(dialog.get("offer")).to_be_visible()
    session.take("server")
    dialog.get("use").click()
    expect(dialog.get("sign")).to_be_visible()
    chat.send(SKY)
    expect(chat.get("answer")).to_have_text(re.compile(r".{60}", re.DOTALL))
    session.take("server-sign")
    chat.get("stop").click()
    chat.answered()
    dialog.get("leave").click()


def meets_a_fault(session: Session) -> None:
    """The part of the page that the model runs in ends in the middle of an answer."""
    chat = session.chat
    chat.get("new-chat").click()
    chat.configure(temperature=0, max_tokens=1000)
    chat.send(KILN)
    expect(chat.get("answer")).to_have_text(re.compile(r".{150}", re.DOTALL))
    chat.worker.evaluate("close()")
    chat.expect_notice("worker-lost")
    session.take("error")


def speaks_french(session: Session) -> None:
    chat = session.chat
    chat.get("settings").click()
    with chat.page.expect_navigation():
        chat.get("language").select_option("fr")
    expect(chat.get("input")).to_be_visible()
    chat.get("models").click()
    expect(chat.page.locator(".suggested")).to_have_count(1)
    expect(chat.get("library-dialog").get_by_role("status")).to_have_text("")
    session.take("french")


def on_a_phone(session: Session) -> None:
    chat = session.chat
    chat.page.goto(f"{chat.address}/")
    expect(chat.get("load")).to_be_enabled()
    session.take("phone-start")
    chat.start()
    session.ask(CODE, 320)
    session.take("phone-answer")
    chat.get("history").click()
    expect(chat.get("conversation")).to_have_count(1)
    session.take("phone-conversations")


VISITS: list[tuple[dict[str, Any], list[Callable[[Session], None]]]] = [
    (
        DESKTOP,
        [
            arrives,
            downloads,
            talks,
            looks_around,
            loses_the_network,
            meets_a_new_version,
            asks_a_server,
            meets_a_fault,
            speaks_french,
        ],
    ),
    (PHONE, [on_a_phone]),
]


def write_models(root: Path) -> Path:
    """SmolLM2, one that is too slow, one that no card has room for, and one that does not chat."""
    on_both = WasmMiniature()
    models = write_files(
        {
            **shelved(on_both, "very-slow", slow),
            **shelved(Miniature(), "too-large", raised),
            **shelved(on_both, "vectors", embeds),
        },
        root,
    )
    shutil.copytree(CURRENT / "models" / MODEL, models / MODEL)
    return models


def main(folder: Path) -> None:
    """Takes all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        models = write_models(work)
        (work / "newer").mkdir()
        newer = next_release(work / "newer")
        server = stack.enter_context(llama_server(smollm2_gguf(), TOKEN))
        chromium: Browser = stack.enter_context(browser())
        for device, states in VISITS:
            with (
                place("serve", work / "root", models, server) as site,
                visit(chromium, site.line.origin, service_workers="allow", **device) as chat,
            ):
                session = Session(chat, site, server, newer, folder)
                for state in states:
                    state(session)


if __name__ == "__main__":
    main(Path(*sys.argv[1:]) if sys.argv[1:] else SCREENS)
