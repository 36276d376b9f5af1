"""Whole conversations in Chromium's own network log: nothing leaves but what was chosen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.chat_page import visit
from tests.browser.fault_server import fault_server
from tests.browser.offline_site import kept, write_models
from tests.browser.server_site import ServerDialog, allowing
from web.browser import browser

# What this browser asks its maker, on whatever page: who is signed in, what form fields mean.
BROWSERS_OWN = (".google.com", ".googleapis.com")
NO_PAGE = "not an origin"  # the initiator of what no page asked for


@dataclass(frozen=True)
class Recorded:
    """What Chromium noted of its network: for page, workers and service worker alike."""

    pages: set[str]  # origins that pages requested something of
    others: set[str]  # those that the browser asked by itself, or for the person
    names: set[str]  # hosts it looked up


def recorded(log: Path) -> Recorded:
    found = json.loads(log.read_text())
    types = {number: name for name, number in found["constants"]["logEventTypes"].items()}
    events = [(types[event["type"]], event.get("params", {})) for event in found["events"]]
    starts = [
        params for name, params in events if name == "URL_REQUEST_START_JOB" and "url" in params
    ]
    return Recorded(
        pages={origin(each["url"]) for each in starts if each["initiator"] != NO_PAGE},
        others={origin(each["url"]) for each in starts if each["initiator"] == NO_PAGE},
        names={
            params["host"]
            for name, params in events
            if name.startswith("HOST_RESOLVER_MANAGER_REQUEST") and "host" in params
        },
    )


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@pytest.mark.parametrize("server", [False, True], ids=["in the tab", "with a server"])
def test_a_recorded_conversation(tmp_path: Path, server: bool) -> None:
    models = write_models(tmp_path / "site")
    log = tmp_path / "net.json"
    flags = (f"--log-net-log={log}", "--net-log-capture-mode=Everything")
    with fault_server() as faults, allowing(models, faults.origin) as address:
        with (
            browser(flags=flags) as chromium,
            visit(chromium, address, service_workers="allow") as chat,
        ):
            chat.climb()
            chat.start()
            kept(chat)  # by the service worker, which is at work from here on
            chat.ask("What is clay?")
            if server:
                chat.get("rung").click()
                dialog = ServerDialog(chat)
                dialog.get("offer-device").click()
                dialog.choose(faults.base("answer"))
            chat.ask("And a kiln?")
            chat.regenerate()
            chat.get("new-chat").click()
            chat.ask("And a potter?")
            chat.page.reload()
            expect(chat.get("input")).to_be_visible()  # a model it has is started at once
            chat.ask("And a wheel?")
            chat.assert_no_problems()
        wanted = {address, faults.origin} if server else {address}
        found = recorded(log)
        assert found.pages == wanted
        assert {each for each in found.others if not each.endswith(BROWSERS_OWN)} == {address}
        assert {each for each in found.names if not each.endswith(BROWSERS_OWN)} <= wanted
