"""What goes wrong around the model: damaged files, a newer format, lost workers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.browser.chat_page import ChatPage, edit_manifest, replace
from tests.browser.conftest import TALK


def flip_byte(times: int) -> Callable[[Route], None]:
    """Damages the first `times` responses."""
    left = times

    def handle(route: Route) -> None:
        nonlocal left
        response = route.fetch()
        body = response.body()
        if left > 0:
            left -= 1
            body = bytes([body[0] ^ 1]) + body[1:]
        route.fulfill(response=response, body=body)

    return handle


def test_damaged_shard_is_fetched_again(climber: ChatPage) -> None:
    climber.page.route("**/weights/*", flip_byte(1))
    climber.load()
    assert len(climber.requested("weights")) == len(set(climber.requested("weights"))) + 1
    climber.configure(max_tokens=4)
    assert climber.ask("What is clay?") != ""


def test_damaged_shard_is_refused(climber: ChatPage) -> None:
    climber.page.route("**/weights/*", flip_byte(1000))
    climber.open()
    climber.get("load").click()
    climber.expect_notice("integrity", "weights/", "damaged or incomplete")
    expect(climber.get("input")).to_be_hidden()
    climber.page.unroute("**/weights/*")
    climber.get("retry").click()
    expect(climber.get("input")).to_be_visible()
    expect(climber.page.locator("#notice")).to_be_hidden()


def test_missing_shard_is_named(climber: ChatPage) -> None:
    climber.page.route("**/weights/*", lambda route: route.fulfill(status=404))
    climber.open()
    climber.get("load").click()
    climber.expect_notice("network", "weights/", "404", "incomplete on the server")
    climber.problems.clear()  # the browser, too, reports a 404


def test_lost_connection_is_said(climber: ChatPage) -> None:
    climber.open()
    expect(climber.get("load")).to_be_enabled()
    climber.page.route("**/weights/*", lambda route: route.abort("connectionreset"))
    climber.get("load").click()
    climber.expect_notice("network", "5 tries", "Check the connection")
    climber.problems.clear()


def test_bundle_of_a_newer_format(climber: ChatPage) -> None:
    edit_manifest(climber, lambda manifest: manifest.update(format=99))
    climber.open()
    climber.expect_notice("unsupported-format", "format 99", "newer", "Update the site's webkiln")
    expect(climber.get("load")).to_be_disabled()


def test_manifest_that_nobody_vouches_for(climber: ChatPage) -> None:
    climber.page.route("**/manifest.json", replace(lambda body: body + b" "))
    climber.open()
    climber.expect_notice("integrity", "not the manifest this page expects")
    expect(climber.get("load")).to_be_disabled()
    climber.page.unroute("**/manifest.json")
    climber.get("retry").click()
    expect(climber.get("load")).to_be_enabled()


def end_worker(chat: ChatPage) -> None:
    """As the browser does when memory runs short: without a word."""
    chat.worker.evaluate("close()")


def throw_in_worker(chat: ChatPage) -> None:
    chat.worker.evaluate("void setTimeout(() => { throw new Error('broken') })")


@pytest.mark.parametrize(
    ("fault", "code", "title"),
    [
        (end_worker, "worker-lost", "The model's worker stopped"),
        (throw_in_worker, "worker-lost", "broken"),
    ],
)
def test_a_way_back(
    talker: ChatPage, fault: Callable[[ChatPage], None], code: str, title: str
) -> None:
    """A fault in the middle of an answer: it is named, and the conversation outlives it."""
    first = talker.ask("What is clay?")
    talker.configure(temperature=0)
    talker.send("And a kiln?")
    talker.started()
    fault(talker)
    talker.expect_notice(code, title)
    expect(talker.get("finish-note").last).to_contain_text("interrupted")
    talker.problems.clear()  # an exception in the worker is reported by the browser as well
    talker.get("retry").click()
    expect(talker.get("input")).to_be_focused()
    expect(talker.page.locator("#notice")).to_be_hidden()
    expect(talker.page.locator(".bubble")).to_have_text(["What is clay?", "And a kiln?"])
    expect(talker.get("answer").first).to_have_text(first)
    talker.configure(temperature=0, max_tokens=TALK)
    assert talker.regenerate() != ""
    assert [turn["role"] for turn in talker.turns] == ["user", "assistant"] * 2
    assert talker.turns[3]["finish"] == "length"
