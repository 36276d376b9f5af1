"""Browsers that lack what others have: their visitors are told, and what to do about it.

Each test starts a browser of its own, so none may use the one of the fixtures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage, visit
from web.browser import browser
from web.verify import serving


@contextmanager
def visiting(
    models: Path, *, name: str = "127.0.0.1", webgpu: bool = True, flags: tuple[str, ...] = ()
) -> Iterator[ChatPage]:
    with (
        serving(models) as address,
        browser(webgpu=webgpu, flags=flags) as chromium,
        visit(chromium, address.replace("127.0.0.1", name)) as chat,
    ):
        yield chat


def test_webgpu_switched_off(tiny_bundle: Path) -> None:
    with visiting(tiny_bundle.parent, webgpu=False) as chat:
        chat.climb()
        reason = "there is none, or it is blocked or switched off"
        chat.expect_card("processor (WebAssembly)", "The graphics card is not used.", reason)
        chat.start()
        chat.expect_running("processor (WebAssembly, 2 threads)", reason)
        chat.configure(temperature=0, max_tokens=8)
        assert chat.ask("What is clay?") != ""
        chat.assert_clean()


def test_insecure_address(tiny_bundle: Path) -> None:
    """Plain http by another name than localhost, as from another machine of the network."""
    rule = "--host-resolver-rules=MAP insecure.test 127.0.0.1"
    with visiting(tiny_bundle.parent, name="insecure.test", flags=(rule,)) as chat:
        chat.climb()
        chat.expect_refusal(
            "This page needs a secure address",
            "opened over plain http",
            "Open it over https, or as localhost",
        )
        chat.get("checked").locator("summary").click()
        chat.get("copy-report").click()  # such a page has no clipboard
        expect(chat.get("report-text")).to_be_focused()
        report = json.loads(chat.get("report-text").input_value())["report"]
        assert report["secureContext"] is False
        assert not any(rung["usable"] for rung in report["rungs"])
        assert chat.strangers() == []  # browsers themselves complain of isolation headers here
