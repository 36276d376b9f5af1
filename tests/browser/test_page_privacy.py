"""The privacy panel: what it lists is what the browser requested, and what it says is so."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_page import ChatPage, visit
from tests.browser.fault_server import ANSWER, FaultServer
from tests.browser.offline_site import kept, write_models
from tests.browser.privacy import PrivacyPanel, network
from tests.browser.server_site import ServerDialog, allowing


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("site"))


@pytest.mark.parametrize("backend", ["webgpu", "wasm"])
def test_the_panel_lists_every_request(climber: ChatPage, backend: str) -> None:
    climber.climb(backend=backend)
    panel = PrivacyPanel(climber)
    panel.open("privacy-start")
    expect(panel.summary).to_have_text(re.compile(r"^\d+ requests, all to this site;"))
    panel.close()
    climber.start()
    climber.ask("What is clay?")
    panel.open("privacy")
    expect(panel.summary).to_contain_text("nothing you typed was sent.")
    # The panel itself came over the network, too, and is listed as soon as it is told.
    expect(panel.chat.page.locator(".privacy-address")).to_have_count(network(climber).total())
    assert panel.addresses() == network(climber)
    expect(panel.said("model")).to_contain_text(
        re.compile("the model's worker · .* over the network")
    )
    expect(panel.said("engine")).to_contain_text("engine.js")
    expect(panel.said("engine")).to_contain_text(re.compile(rf"/engine-{backend}-\w+\.js"))
    expect(panel.said("model")).not_to_contain_text("/assets/")
    expect(climber.get("privacy-origins")).to_have_text(f"{climber.address} (this site)")
    expect(climber.get("privacy-blind")).to_contain_text("extensions")


def test_the_service_worker_tells_what_it_requested(chromium: Browser, mini_site: str) -> None:
    with visit(chromium, mini_site, service_workers="allow") as chat:
        seen: set[str] = set()
        chat.context.on("request", lambda each: seen.add(each.url) if each.service_worker else None)
        chat.climb(backend="wasm")
        chat.start()
        kept(chat)
        panel = PrivacyPanel(chat)
        panel.open("privacy")
        own = panel.said("offline")
        expect(own).to_contain_text("app.json")
        expect(own).to_contain_text("the service worker · ")
        expect(panel.summary).to_contain_text("all to this site")
        # Whatever it keeps, it fetched itself, as Playwright saw it do.
        listed = own.locator(".privacy-address").all_text_contents()
        script = {url for url in seen if "/sw.js?" in url}  # the browser fetches that itself
        assert {chat.address + each for each in listed} == seen - script
        panel.close()
        chat.page.reload()
        expect(chat.get("input")).to_be_visible()
        panel.open("privacy")
        expect(panel.said("page")).to_contain_text("answered by the service worker")


def test_the_list_can_be_copied(climber: ChatPage) -> None:
    climber.context.grant_permissions(["clipboard-read", "clipboard-write"])
    climber.climb()
    climber.start()
    PrivacyPanel(climber).open("privacy")
    climber.get("privacy-copy").click()
    expect(climber.get("privacy-dialog")).to_contain_text("Copied to your clipboard")
    text: str = climber.page.evaluate("navigator.clipboard.readText()")
    [sentence, empty, head, *rows, last] = text.split("\n")
    assert (empty, last) == ("", "")
    assert sentence.endswith("nothing you typed was sent.")
    assert head.split("\t") == ["time", "by", "why", "status", "bytes", "address"]
    assert Counter(row.split("\t")[-1] for row in rows) == network(climber)
    assert {row.split("\t")[1] for row in rows} == {"page", "worker"}


def test_a_request_the_policy_refuses_is_told(climber: ChatPage) -> None:
    climber.climb()
    expect(climber.get("load")).to_be_enabled()
    outside = "http://localhost:9/collect"
    climber.page.evaluate(
        "(url) => fetch(url, { method: 'POST', body: 'x' }).catch(() => 0)", outside
    )
    panel = PrivacyPanel(climber)
    panel.open("privacy-start")
    expect(climber.get("privacy-refused")).to_have_text(f"It refused {outside}.")
    expect(panel.summary).to_contain_text("all to this site")
    assert climber.problems != []  # the browser's words on it
    climber.problems.clear()


def test_with_a_server_the_panel_says_what_was_sent(
    chromium: Browser, models: Path, faults: FaultServer
) -> None:
    with allowing(models, faults.origin) as address, visit(chromium, address) as chat:
        chat.climb()
        dialog = ServerDialog(chat)
        dialog.get("start").click()
        dialog.connect(faults.base("answer"))
        expect(dialog.get("offer")).to_be_visible()
        panel = PrivacyPanel(chat)
        dialog.get("close").click()
        panel.open("privacy-start")
        expect(panel.summary).to_contain_text("Nothing you typed was sent.")
        panel.close()
        dialog.get("start").click()
        dialog.choose(faults.base("answer"))
        assert chat.ask("What is clay?") == "".join(ANSWER)
        chat.page.get_by_role("button", name="What this page has requested").last.click()
        expect(panel.summary).to_contain_text(f"answered by {faults.origin} were sent there")
        expect(panel.said("server")).to_contain_text(re.compile(r"\d+ bytes sent"))
        assert panel.addresses() == network(chat)
        expect(chat.get("privacy-origins")).to_contain_text(f"{faults.origin} (server, only if")
