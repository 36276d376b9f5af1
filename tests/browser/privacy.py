"""A person at the privacy panel, and what there is to compare it with."""

from __future__ import annotations

from collections import Counter
from urllib.parse import urlsplit

from playwright.sync_api import Locator, expect

from tests.browser.chat_page import ChatPage


class PrivacyPanel:
    """The privacy panel."""

    def __init__(self, chat: ChatPage) -> None:
        self.chat = chat

    def open(self, button: str) -> None:
        self.chat.get(button).click()
        expect(self.summary).to_be_visible()

    def close(self) -> None:
        self.chat.get("privacy-close").click()

    @property
    def summary(self) -> Locator:
        return self.chat.get("privacy-summary")

    def addresses(self) -> Counter[str]:
        """What is listed, unfolded or not; paths alone are of the site."""
        found = self.chat.page.locator(".privacy-address").all_text_contents()
        parts = urlsplit(self.chat.address)
        home = f"{parts.scheme}://{parts.netloc}"
        return Counter(home + each if each.startswith("/") else each for each in found)

    def said(self, group: str) -> Locator:
        return self.chat.get(f"privacy-{group}")


def network(chat: ChatPage) -> Counter[str]:
    """What Playwright saw of the browser, but for addresses that need no network."""
    return Counter(url for url in chat.requests if not url.startswith(("data:", "blob:")))
