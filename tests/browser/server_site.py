"""The chat page on a site that allows servers, and what a person does to have one answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.browser.chat_page import ChatPage
from web.options import site_options
from web.server import create_app
from web.verify import running


@contextmanager
def allowing(models: Path, *origins: str) -> Iterator[str]:
    """Serves such a site; yields its address."""
    with running(create_app(models, options=site_options(servers=origins))) as address:
        yield address


class ServerDialog:
    """The dialog in which a server is named."""

    def __init__(self, chat: ChatPage) -> None:
        self.chat = chat

    def get(self, name: str) -> Locator:
        return self.chat.get(f"server-{name}")

    def connect(self, address: str, token: str = "") -> None:
        """Names the server; its answer may take a moment."""
        self.get("address").fill(address)
        self.get("token").fill(token)
        self.get("connect").click()

    def expect_fault(self, code: str, *texts: str) -> None:
        notice = self.get("dialog").get_by_test_id("error")
        expect(notice).to_have_attribute("data-code", code)
        for text in texts:
            expect(notice).to_contain_text(text)

    def choose(self, address: str, token: str = "") -> None:
        """Has this conversation sent there."""
        self.connect(address, token)
        self.get("use").click()
        expect(self.get("chip")).to_be_visible()


def on_server(chat: ChatPage, address: str, token: str = "") -> ServerDialog:
    """Opens the page and, without loading any model, has a server answer."""
    chat.climb()
    dialog = ServerDialog(chat)
    dialog.get("start").click()
    dialog.choose(address, token)
    return dialog
