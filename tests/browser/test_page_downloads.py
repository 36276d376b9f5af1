"""What the page says of a download, and what a person can do about it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage

METERED = """Object.defineProperty(navigator, "connection", {
  value: { saveData: true, type: "cellular" },
});"""


def test_pause_and_resume(climber: ChatPage) -> None:
    climber.page.route("**/weights/*", lambda route: None)
    climber.climb()
    climber.get("load").click()
    pause = climber.get("pause")
    expect(pause).to_have_text("Pause")
    pause.click()
    expect(pause).to_have_text("Resume")
    expect(climber.get("progress-text")).to_contain_text("paused")
    climber.page.unroute("**/weights/*")
    pause.click()
    expect(climber.get("input")).to_be_visible()


def test_cancelled_while_paused(climber: ChatPage) -> None:
    climber.page.route("**/weights/*", lambda route: None)
    climber.climb()
    climber.get("load").click()
    climber.get("pause").click()
    climber.get("cancel").click()
    expect(climber.get("load")).to_be_visible()
    climber.page.unroute("**/weights/*")
    climber.start()


def test_a_metered_connection_is_asked_about(climber: ChatPage) -> None:
    climber.context.add_init_script(METERED)
    climber.climb()
    climber.get("load").click()
    notice = climber.get("metered")
    expect(notice).to_contain_text("This connection may cost you")
    expect(notice).to_contain_text("kB")
    climber.get("metered-later").click()
    expect(notice).to_be_hidden()
    assert climber.requested("weights") == []
    climber.get("load").click()
    climber.get("metered-download").click()
    expect(climber.get("input")).to_be_visible()
    climber.page.reload()
    expect(climber.get("input")).to_be_visible()  # kept: there is nothing to ask about
