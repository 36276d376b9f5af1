"""A person at the library of models."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.browser.chat_page import ChatPage


def card(chat: ChatPage, name: str) -> Locator:
    return chat.page.locator(f"[data-slug={name}]")


def open_library(chat: ChatPage, button: str = "about-model") -> None:
    """Waits until all of its five models are judged."""
    chat.get(button).click()
    expect(chat.get("library-list").get_by_test_id("fit")).to_have_count(5)
    expect(chat.get("library-dialog").get_by_role("status")).to_have_text("")
