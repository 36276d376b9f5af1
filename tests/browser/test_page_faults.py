"""What goes wrong around the model: damaged files, a newer format, lost devices and workers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.browser.chat_page import ChatPage

# In front of worker.js: a way to lose the device, as a driver's crash would.
EXPOSE_DEVICE = """
const request = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = async function (...options) {
  return (globalThis.testDevice = await request.apply(this, options));
};
"""


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


def edit_manifest(chat: ChatPage, bundle: Path, **changes: Any) -> None:
    """Serves another manifest, and a model list that vouches for it."""
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    data = json.dumps({**manifest, **changes}).encode()
    chat.page.route("**/manifest.json", replace(lambda body: data))

    def vouch(body: bytes) -> bytes:
        listed = json.loads(body)
        listed[0]["integrity"] = f"sha256-{hashlib.sha256(data).hexdigest()}"
        return json.dumps(listed).encode()

    chat.page.route("**/models.json", replace(vouch))


def replace(change: Callable[[bytes], bytes]) -> Callable[[Route], None]:
    """Fetches for real and changes the body; the headers stay."""

    def handle(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=change(response.body()))

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
    visitor.expect_notice("network", "3 tries", "Check the connection")
    visitor.problems.clear()


def test_bundle_of_a_newer_format(visitor: ChatPage, tiny_bundle: Path) -> None:
    edit_manifest(visitor, tiny_bundle, format=99)
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


def lose_device(chat: ChatPage) -> None:
    chat.page.workers[0].evaluate("testDevice.destroy()")


def end_worker(chat: ChatPage) -> None:
    """As the browser does when memory runs short: without a word."""
    chat.page.workers[0].evaluate("close()")


def throw_in_worker(chat: ChatPage) -> None:
    chat.page.workers[0].evaluate("void setTimeout(() => { throw new Error('broken') })")


@pytest.mark.parametrize(
    ("fault", "code", "title"),
    [
        (lose_device, "device-lost", "The graphics device was lost"),
        (end_worker, "worker-lost", "The model's worker stopped"),
        (throw_in_worker, "worker-lost", "broken"),
    ],
)
def test_a_way_back(
    visitor: ChatPage, fault: Callable[[ChatPage], None], code: str, title: str
) -> None:
    """A fault in the middle of an answer: it is named, and the conversation outlives it."""
    if fault is lose_device:
        expose = replace(lambda body: EXPOSE_DEVICE.encode() + body)
        visitor.page.route("**/worker.js", expose)
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
