"""The chat page where there is no WebGPU: it says so, and answers all the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.other_browsers.conftest import Kind
from tests.other_browsers.visitor import VISIBLE, Visitor

THREADS = 2
# Tokens; the tiny model hardly ever ends by itself, and is through with a short answer at once.
SHORT, LONG = 24, 1500
RELOADS = 30
NO_WEBGPU = "This browser does not offer WebGPU"
NO_THREADS = "This browser's WebAssembly lacks threads."


@pytest.fixture(scope="module")
def loaded(visitor: Visitor) -> Visitor:
    visitor.load(threads=str(THREADS))
    return visitor


@pytest.fixture
def chat(loaded: Visitor) -> Iterator[Visitor]:
    """An empty conversation with short, greedy answers; nothing goes wrong in it."""
    loaded.click("new-chat")
    loaded.configure(temperature=0, max_tokens=SHORT)
    yield loaded
    assert loaded.problems == []


def test_page_says_how_it_runs_and_why(kind: Kind, chat: Visitor) -> None:
    assert chat.texts("rung") == ["Processor · WebAssembly"]
    chat.click("rung")
    [panel] = chat.texts("device-dialog")
    chat.click("device-close")
    threads = f"{THREADS} threads" if kind.threads else "1 thread"
    assert f"Runs on the processor (WebAssembly, {threads})" in panel
    assert NO_WEBGPU in panel
    assert (NO_THREADS in panel) == (not kind.threads)


def test_answer_is_streamed(chat: Visitor) -> None:
    chat.configure(max_tokens=LONG)
    answer = chat.ask("What is clay?")
    growing = [text.strip() for text in chat.tab.run("return window.seen;") if text]
    assert len(growing) >= 3
    assert all(answer.startswith(text) for text in growing)
    last = chat.turns[-1]
    assert (last["finish"], last["stats"]["completionTokens"]) == ("length", LONG)


def test_reload_keeps_model_and_conversation(chat: Visitor) -> None:
    answer = chat.ask("What is clay?")
    turns = chat.turns
    chat.tab.reload()
    chat.until(VISIBLE, "#input")  # without a click
    assert chat.texts("answer") == [answer]
    assert chat.turns == turns
    assert chat.ask("And a kiln?") != ""
    assert chat.turns[-1]["stats"]["completionTokens"] == SHORT


def test_comes_up_after_every_reload(chat: Visitor) -> None:
    """Firefox 153 may never return from `new Worker` inside a worker: one reload in twenty."""
    for _ in range(RELOADS):
        chat.tab.reload()
        chat.until(VISIBLE, "#input")
