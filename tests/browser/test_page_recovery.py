"""What happens to a conversation when the ground it stands on gives way."""

from __future__ import annotations

import json
from contextlib import suppress

from playwright.sync_api import Error, Route, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import ANSWER
from tests.browser.test_page_ladder import CARD, PROCESSOR, REAL_CARD, threads

# In the worker: a way to lose the device, as a driver's crash would.
EXPOSE_DEVICE = """
const request = globalThis.GPUAdapter?.prototype.requestDevice;
if (request) GPUAdapter.prototype.requestDevice = async function (...options) {
  return (globalThis.testDevice = await request.apply(this, options));
};"""
LONG = 200  # tokens: time enough to lose a device, or two
QUESTIONS = ["What is clay?", "And a kiln?"]


def lose_device(chat: ChatPage) -> None:
    chat.worker.evaluate("testDevice.destroy()")


def begin(chat: ChatPage, **query: str) -> str:
    """Loads on a graphics card that can be lost, and asks the questions; the second's answer."""
    chat.inject(REAL_CARD + EXPOSE_DEVICE)
    chat.climb(**query)
    chat.start()
    chat.expect_running(CARD)
    chat.configure(temperature=0, max_tokens=LONG)
    chat.ask(QUESTIONS[0])
    return chat.ask(QUESTIONS[1])


def assert_whole(chat: ChatPage, answer: str) -> None:
    """The last answer is the one that it would have been, and no message is lost."""
    assert chat.answered() == answer
    assert chat.stats["completionTokens"] == LONG
    expect(chat.page.locator(".bubble")).to_have_text(QUESTIONS)
    assert [turn["role"] for turn in chat.turns] == ["user", "assistant"] * 2
    expect(chat.page.locator("#notice")).to_be_hidden()


def again(chat: ChatPage) -> None:
    """Asks for the last answer anew, and waits for its first words."""
    last = chat.get("message-assistant").last
    last.evaluate("(node) => (node.dataset.old = '')")
    last.get_by_test_id("regenerate").click()
    expect(chat.page.locator("[data-old]")).to_have_count(0)
    chat.started()


def test_a_lost_device_is_no_end(visitor: ChatPage) -> None:
    """The first time the same rung is opened anew, the second time the next one takes over."""
    answer = begin(visitor)
    again(visitor)
    visitor.get("input").fill("typed meanwhile")
    lose_device(visitor)
    visitor.expect_change(f"The model was started again on the {CARD}", "device was lost")
    expect(visitor.get("input")).to_be_focused()
    expect(visitor.get("input")).to_have_value("typed meanwhile")
    lose_device(visitor)
    visitor.expect_change(f"The model now runs on the {threads(2)}", "device was lost")
    assert_whole(visitor, answer)
    visitor.expect_running(threads(2), "The graphics card is not used.")
    expect(visitor.get("rung")).to_have_text("Processor · WebAssembly")


def test_a_forced_card_that_stays_lost(visitor: ChatPage) -> None:
    """Nothing else may be taken without being asked; the processor is offered."""
    answer = begin(visitor, variant="f32")
    again(visitor)
    lose_device(visitor)
    visitor.expect_change(f"The model was started again on the {CARD}")
    lose_device(visitor)
    visitor.expect_notice("device-lost", "The graphics device was lost")
    expect(visitor.get("finish-note").last).to_contain_text("interrupted")
    part = visitor.get("answer").last.inner_text()
    assert part != ""
    assert answer.startswith(part)
    expect(visitor.get("retry")).to_have_text("Reload the model")
    visitor.get("load-wasm").click()
    expect(visitor.get("input")).to_be_focused()
    visitor.expect_running(threads(2), "You asked for it here.")
    expect(visitor.get("answer").last).to_have_text(part)
    visitor.regenerate()
    assert_whole(visitor, answer)


def hold(route: Route) -> None:
    """Leaves a request unanswered: the model stays half loaded."""


def half_load(chat: ChatPage) -> None:
    chat.inject(REAL_CARD)
    chat.climb()
    chat.expect_card(CARD)
    chat.page.evaluate(
        "(turns) => sessionStorage.setItem('webkiln.conversation', turns)",
        json.dumps([{"role": "user", "content": "What is clay?"}]),
    )
    chat.page.reload()
    chat.page.route("**/weights/*", hold)
    chat.get("load").click()
    chat.page.wait_for_function("localStorage.getItem('webkiln.crashes')?.includes('variant')")


def crash_tab(chat: ChatPage) -> None:
    """Ends the tab as a fault in it would, and comes back in a new one."""
    kept = chat.page.evaluate("JSON.stringify({ ...sessionStorage })")
    session = chat.context.new_cdp_session(chat.page)
    with chat.page.expect_event("crash"), suppress(Error):
        session.send("Page.crash")  # never answered
    chat.page = chat.context.new_page()
    chat.page.set_default_timeout(60_000)
    # A browser that reloads a crashed tab gives it its session back; Playwright cannot reload one.
    chat.page.add_init_script(f"Object.assign(sessionStorage, {kept})")


def test_after_a_crash_it_starts_one_rung_lower(visitor: ChatPage) -> None:
    half_load(visitor)
    crash_tab(visitor)
    visitor.inject(REAL_CARD)
    visitor.climb()
    told = "The last attempt to load on it ended in a crash."
    visitor.expect_card(PROCESSOR, "The graphics card is not used.", told)
    visitor.start()
    visitor.expect_running(threads(2), told)
    expect(visitor.page.locator(".bubble")).to_have_text("What is clay?")
    visitor.get("rung").click()
    visitor.get("device-dialog").get_by_test_id("try-again").click()
    expect(visitor.get("input")).to_be_focused()
    visitor.expect_running(CARD, "You asked for it here.")
    visitor.page.reload()  # it worked: the crash is forgotten
    expect(visitor.get("input")).to_be_visible()
    visitor.expect_running(CARD)
    visitor.configure(temperature=0, max_tokens=ANSWER)
    assert visitor.regenerate() != ""


def test_a_worker_that_ends_while_it_loads(visitor: ChatPage) -> None:
    half_load(visitor)
    visitor.worker.evaluate("close()")
    visitor.expect_notice("worker-lost", "The model's worker stopped")
    visitor.page.unroute("**/weights/*")
    visitor.get("load-wasm").click()
    expect(visitor.get("input")).to_be_focused()
    visitor.expect_running(threads(2), "You asked for it here.")
    expect(visitor.page.locator(".bubble")).to_have_text("What is clay?")
