"""A server that the person names answers one conversation, and no other."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conversations import FIRST
from tests.browser.fault_server import ANSWER, TOKEN
from tests.browser.privacy import PrivacyPanel
from tests.browser.server_site import ServerDialog
from tests.walk.journey import Journey


def has_a_server_answer(journey: Journey) -> None:
    chat, server = journey.chat, journey.server
    journey.new_chat()
    assert server.seen == []
    dialog = ServerDialog(chat)
    journey.get("rung").click()
    dialog.get("offer-device").click()
    dialog.connect(server.base("locked"), TOKEN)
    assert server.asked("POST") == []
    dialog.get("use").click()
    expect(dialog.get("chip")).to_have_text(f"Server: {server.origin.removeprefix('http://')}")
    expect(dialog.get("sign")).to_contain_text(f"What you send goes to {server.origin}.")
    expect(chat.page.get_by_text("Nothing you type leaves this tab.").last).to_be_hidden()
    assert chat.ask(FIRST) == "".join(ANSWER)
    [asked] = server.asked("POST")
    assert asked.body["messages"] == [{"role": "user", "content": FIRST}]
    assert chat.strangers() != []
    assert all(url.startswith(server.origin) for url in chat.strangers())


def sees_what_was_sent(journey: Journey) -> None:
    panel = PrivacyPanel(journey.chat)
    journey.chat.page.locator(".promise.sent").click()
    expect(panel.summary).to_contain_text(f"answered by {journey.server.origin} were sent there")
    panel.close()


def comes_back_to_the_tab(journey: Journey) -> None:
    dialog = ServerDialog(journey.chat)
    dialog.get("leave").click()
    expect(dialog.get("sign")).to_be_hidden()
    asked = len(journey.server.seen)
    assert journey.chat.ask("And a kiln") != "".join(ANSWER)
    journey.new_chat()
    assert journey.chat.ask(FIRST) != "".join(ANSWER)
    assert len(journey.server.seen) == asked


STEPS = [has_a_server_answer, sees_what_was_sent, comes_back_to_the_tab]
