"""What happens to a conversation when the ground it stands on gives way."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from playwright.sync_api import Error, Route, expect

from tests.browser.chat_page import ChatPage, until
from tests.browser.conftest import ANSWER
from tests.browser.outcomes import record
from tests.browser.test_page_ladder import CARD, PROCESSOR, REAL_CARD, threads

# In the worker: a way to lose the device, as a driver's crash would.
EXPOSE_DEVICE = """
const request = globalThis.GPUAdapter?.prototype.requestDevice;
if (request) GPUAdapter.prototype.requestDevice = async function (...options) {
  return (globalThis.testDevice = await request.apply(this, options));
};"""
LONG = 3000  # tokens: time enough to lose a device, or two
TALK = [
    {"role": "user", "content": "What is clay"},
    {"role": "assistant", "content": "Mud", "finish": "stop"},
]
QUESTIONS = ["What is clay", "And a kiln"]


def lose_device(chat: ChatPage) -> None:
    chat.worker.evaluate("testDevice.destroy()")


def begin(chat: ChatPage, length: int = LONG, **query: str) -> str:
    """Loads on a graphics card that can be lost, and asks the questions; the second's answer."""
    chat.inject(REAL_CARD + EXPOSE_DEVICE)
    chat.climb(**query)
    chat.start()
    chat.expect_running(CARD)
    chat.configure(temperature=0, max_tokens=ANSWER)
    chat.ask(QUESTIONS[0])
    chat.configure(temperature=0, max_tokens=length)
    return chat.ask(QUESTIONS[1])


def assert_whole(chat: ChatPage, answer: str, length: int = LONG) -> None:
    """The last answer is the one that it would have been, and no message is lost."""
    assert chat.answered() == answer
    assert chat.stats["completionTokens"] == length
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


def test_a_lost_device_is_no_end(climber: ChatPage) -> None:
    """The first time the same rung is opened anew, the second time the next one takes over."""
    answer = begin(climber, context="4096")
    again(climber)
    climber.get("input").fill("typed meanwhile")
    lose_device(climber)
    climber.expect_change(f"The model was started again on the {CARD}", "device was lost")
    expect(climber.get("input")).to_be_focused()
    expect(climber.get("input")).to_have_value("typed meanwhile")
    lose_device(climber)
    climber.expect_change(f"The model now runs on the {threads(2)}", "device was lost")
    assert_whole(climber, answer)
    climber.expect_running(threads(2), "The graphics card is not used.")
    expect(climber.get("rung")).to_have_text("Processor · WebAssembly")
    record("GPU device lost twice in one answer, on the page", "recovered")


@pytest.mark.soak
def test_compiled_kernels_take_over(visitor: ChatPage) -> None:
    """The processor's kernels go on where the graphics card's left off, with the same words."""
    length = 300
    answer = begin(visitor, length)
    again(visitor)
    lose_device(visitor)
    visitor.expect_change(f"The model was started again on the {CARD}")
    lose_device(visitor)
    visitor.expect_change(f"The model now runs on the {threads(2)}")
    assert_whole(visitor, answer, length)


def test_a_forced_card_that_stays_lost(climber: ChatPage) -> None:
    """Nothing else may be taken without being asked; the processor is offered."""
    answer = begin(climber, context="4096", variant="f32")
    again(climber)
    lose_device(climber)
    climber.expect_change(f"The model was started again on the {CARD}")
    lose_device(climber)
    climber.expect_notice("device-lost", "The graphics device was lost")
    expect(climber.get("finish-note").last).to_contain_text("interrupted")
    part = climber.get("answer").last.inner_text()
    assert part != ""
    assert answer.startswith(part)
    expect(climber.get("retry")).to_have_text("Reload the model")
    climber.get("load-wasm").click()
    expect(climber.get("input")).to_be_focused()
    climber.expect_running(threads(2), "You asked for it here.")
    expect(climber.get("answer").last).to_have_text(part)
    climber.regenerate()
    assert_whole(climber, answer)


def hold(route: Route) -> None:
    """Leaves a request unanswered: the model stays half loaded."""


def half_load(chat: ChatPage) -> None:
    chat.inject(REAL_CARD)
    chat.climb()
    chat.expect_card(CARD)
    chat.page.evaluate(
        "(turns) => sessionStorage.setItem('webkiln.conversation', turns)",
        json.dumps(TALK),
    )
    chat.page.reload()
    chat.page.route("**/weights/*", hold)
    chat.get("load").click()
    marked = "(localStorage.getItem('webkiln.crashes') ?? '').includes('variant')"
    until(chat.page, marked)


def crash_tab(chat: ChatPage) -> None:
    """Ends the tab as a fault in it would, and comes back in a new one."""
    kept = chat.page.evaluate("JSON.stringify({ ...sessionStorage })")
    with chat.page.expect_event("crash"), suppress(Error):
        chat.page.goto("chrome://crash")
    chat.requests.clear()
    chat.page = chat.new_tab()
    # A browser that reloads a crashed tab gives it its session back; Playwright cannot reload one.
    chat.page.add_init_script(f"Object.assign(sessionStorage, {kept})")


def test_after_a_crash_it_starts_one_rung_lower(climber: ChatPage) -> None:
    half_load(climber)
    crash_tab(climber)
    climber.climb()
    told = "The last attempt to load on it ended in a crash."
    climber.expect_card(PROCESSOR, "The graphics card is not used.", told)
    climber.start()
    climber.expect_running(threads(2), told)
    assert climber.turns == TALK
    climber.get("rung").click()
    climber.get("device-dialog").get_by_test_id("try-again").click()
    expect(climber.get("input")).to_be_focused()
    climber.expect_running(CARD, "You asked for it here.")
    climber.page.reload()  # it worked: the crash is forgotten
    expect(climber.get("input")).to_be_visible()
    climber.expect_running(CARD)
    climber.configure(temperature=0, max_tokens=ANSWER)
    assert climber.regenerate() not in ("", "Mud")


def test_a_worker_that_ends_while_it_loads(climber: ChatPage) -> None:
    half_load(climber)
    climber.worker.evaluate("close()")
    climber.expect_notice("worker-lost", "The model's worker stopped")
    climber.page.unroute("**/weights/*")
    climber.get("load-wasm").click()
    expect(climber.get("input")).to_be_focused()
    climber.expect_running(threads(2), "You asked for it here.")
    assert climber.turns == TALK
