"""Faults at random moments of an answer: nothing that was shown is lost, and it can go on."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_page import PATIENCE, ChatPage, visit
from tests.browser.conftest import NO_GPU, TALK
from tests.browser.conversations import FIRST, NOTE_SHOWN
from tests.browser.engine_page import ANSWER, ask, engine_page
from tests.browser.miniature import Miniature, continuation, decode, encode
from tests.browser.outcomes import record

# Tokens of the answer that nothing happens to, by backend: seconds of it on either.
WHOLE = {"WebGPU": 3900, "WebAssembly": 1500}
LATEST = 200  # characters: by then it has happened
SHOWN = "(length) => window.name.length >= length"
TRIALS = 10
# `make test` has one of each, in test_page_conversation_faults.py and test_engine_recovery.py.
pytestmark = pytest.mark.soak


@pytest.fixture(params=["webgpu", "wasm"])
def speaker(
    request: pytest.FixtureRequest, chromium: Browser, slow_site: str
) -> Iterator[ChatPage]:
    """Somebody with a model loaded on one of the backends."""
    with visit(chromium, slow_site) as chat:
        if request.param == "wasm":
            chat.inject(NO_GPU)
            chat.climb(context="4096")
        else:
            chat.open(context="4096")
        chat.start()
        yield chat
        chat.assert_clean()


def backend(chat: ChatPage) -> str:
    return "WebGPU" if "variant=f32" in chat.page.url else "WebAssembly"


def whole_answer(chat: ChatPage) -> str:
    """What the answer would be, if nothing happened."""
    chat.configure(temperature=0, max_tokens=WHOLE[backend(chat)])
    return chat.ask(FIRST)


def begin(chat: ChatPage, moment: int) -> None:
    """A new conversation, whose answer has come as far as that."""
    chat.get("new-chat").click()
    expect(chat.get("answer")).to_have_count(0)
    chat.configure(temperature=0, max_tokens=WHOLE[backend(chat)])
    chat.page.evaluate(NOTE_SHOWN)
    chat.send(FIRST)
    chat.page.wait_for_function(SHOWN, arg=moment, timeout=PATIENCE)


def come_back(chat: ChatPage) -> None:
    chat.page.reload()
    expect(chat.get("input")).to_be_visible()


def kill_worker(chat: ChatPage) -> None:
    chat.worker.evaluate("close()")
    chat.expect_notice("worker-lost")
    expect(chat.get("finish-note").last).to_contain_text("interrupted")
    assert_there(chat)
    # What crashed waits for a click the next time, or gives way to another rung.
    chat.page.evaluate("localStorage.removeItem('webkiln.crashes')")
    come_back(chat)


def assert_there(chat: ChatPage) -> str:
    """All that was shown is still there, and is what is kept."""
    seen: str = chat.page.evaluate("window.name.trim()")
    there = chat.get("answer").last.inner_text()
    assert seen != ""
    assert there.startswith(seen)
    [question, answer] = chat.turns
    assert question["content"] == FIRST
    assert str(answer["content"]).strip() == there
    return there


def assert_goes_on(chat: ChatPage, whole: str) -> None:
    """*Continue* adds what would have come."""
    expect(chat.get("finish-note").last).to_contain_text("interrupted")
    there = assert_there(chat)
    assert len(there) < len(whole)
    chat.configure(temperature=0, max_tokens=TALK)
    chat.get("continue").last.click()
    expect(chat.get("answer").last).not_to_have_text(there)
    longer = chat.answered()
    assert longer.startswith(there)
    assert whole.startswith(longer)


@pytest.mark.parametrize(
    ("fault", "happen"), [("reload", come_back), ("worker killed", kill_worker)]
)
def test_interrupted_at_random_moments(
    speaker: ChatPage, fault: str, happen: Callable[[ChatPage], None]
) -> None:
    chance = random.Random(fault)
    whole = whole_answer(speaker)
    for _ in range(TRIALS):
        begin(speaker, chance.randint(1, LATEST))
        happen(speaker)
        assert_goes_on(speaker, whole)
        record(f"{fault} in mid-answer, {backend(speaker)}", "recovered")


def test_device_lost_at_random_moments(chromium: Browser) -> None:
    chance = random.Random(TRIALS)
    prompt, length = "b and more", 1500
    expected = decode(continuation(encode(prompt), length))
    with engine_page(chromium, Miniature(stop_tokens=[]), hooks=True) as page:
        for _ in range(TRIALS):
            page.loaded(context=4096)  # anew: what is lost twice within a minute is given up
            orders = [[chance.randint(1, LATEST), "lose device"]]
            result = page.value(ANSWER, {"orders": orders, "request": ask(prompt, length)})
            assert result["text"] == expected
            assert result["usage"]["completion_tokens"] == length
            assert page.page.evaluate("changes.length") == 1
            record("GPU device lost in mid-answer, WebGPU", "recovered")
