"""What goes wrong around the model: damaged files, a newer format, lost workers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.browser.chat_page import ChatPage, edit_manifest, replace


def flip_byte(times: int) -> Callable[[Route], None]:
    """Damages the first `times` responses."""
    left = times

    def handle(route: Route) -> None:
        nonlocal left
        response = route.fetch()
        body = response.body()
        if left > 0:
            left -= 1
            body = body[:100] + bytes([body[100] ^ 1]) + body[101:]
        route.fulfill(response=response, body=body)

    return handle


def test_damaged_shard_is_fetched_again(visitor: ChatPage) -> None:
    visitor.page.route("**/weights/*", flip_byte(1))
    visitor.load()
    assert len(visitor.requested("weights")) == len(set(visitor.requested("weights"))) + 1
    visitor.configure(max_tokens=4)
    assert visitor.ask("What is clay?") != ""


def test_damaged_shard_is_refused(visitor: ChatPage) -> None:
    visitor.page.route("**/weights/*", flip_byte(1000))
    visitor.open()
    visitor.get("load").click()
    visitor.expect_notice("integrity", "weights/", "damaged or incomplete")
    expect(visitor.get("input")).to_be_hidden()
    visitor.page.unroute("**/weights/*")
    visitor.get("retry").click()
    expect(visitor.get("input")).to_be_visible()
    expect(visitor.page.locator("#notice")).to_be_hidden()


def test_missing_shard_is_named(visitor: ChatPage) -> None:
    visitor.page.route("**/weights/*", lambda route: route.fulfill(status=404))
    visitor.open()
    visitor.get("load").click()
    visitor.expect_notice("network", "weights/", "404", "incomplete on the server")
    visitor.problems.clear()  # the browser, too, reports a 404


def test_lost_connection_is_said(visitor: ChatPage) -> None:
    visitor.open()
    expect(visitor.get("load")).to_be_enabled()
    visitor.page.route("**/weights/*", lambda route: route.abort("connectionreset"))
    visitor.get("load").click()
    visitor.expect_notice("network", "5 tries", "Check the connection")
    visitor.problems.clear()


def test_bundle_of_a_newer_format(visitor: ChatPage) -> None:
    edit_manifest(visitor, lambda manifest: manifest.update(format=99))
    visitor.open()
    visitor.expect_notice("unsupported-format", "format 99", "newer", "Update the site's webkiln")
    expect(visitor.get("load")).to_be_disabled()


def test_manifest_that_nobody_vouches_for(visitor: ChatPage) -> None:
    visitor.page.route("**/manifest.json", replace(lambda body: body + b" "))
    visitor.open()
    visitor.expect_notice("integrity", "not the manifest this page expects")
    expect(visitor.get("load")).to_be_disabled()
    visitor.page.unroute("**/manifest.json")
    visitor.get("retry").click()
    expect(visitor.get("load")).to_be_enabled()


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
    visitor: ChatPage, fault: Callable[[ChatPage], None], code: str, title: str
) -> None:
    """A fault in the middle of an answer: it is named, and the conversation outlives it."""
    visitor.load()
    visitor.configure(temperature=0, max_tokens=8)
    first = visitor.ask("What is clay?")
    visitor.configure(temperature=0)
    visitor.send("And a kiln?")
    visitor.started()
    fault(visitor)
    visitor.expect_notice(code, title)
    expect(visitor.get("finish-note").last).to_contain_text("interrupted")
    visitor.problems.clear()  # an exception in the worker is reported by the browser as well
    visitor.get("retry").click()
    expect(visitor.get("input")).to_be_focused()
    expect(visitor.page.locator("#notice")).to_be_hidden()
    expect(visitor.page.locator(".bubble")).to_have_text(["What is clay?", "And a kiln?"])
    expect(visitor.get("answer").first).to_have_text(first)
    visitor.configure(temperature=0, max_tokens=8)
    assert visitor.regenerate() != ""
    assert [turn["role"] for turn in visitor.turns] == ["user", "assistant"] * 2
    assert visitor.turns[3]["finish"] == "length"
