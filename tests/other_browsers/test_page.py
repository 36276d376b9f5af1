"""The chat page where there is no WebGPU: it says so, and answers all the same."""

from __future__ import annotations

import pytest

from tests.other_browsers.conftest import Kind
from tests.other_browsers.visitor import VISIBLE, Visitor

THREADS = 2
ANSWER = 100  # tokens, enough to see them come; the tiny model hardly ever ends by itself
NO_WEBGPU = "This browser does not offer WebGPU"
NO_THREADS = "This browser's WebAssembly lacks threads."


@pytest.fixture(scope="module")
def loaded(visitor: Visitor) -> Visitor:
    """The page with the model; answers are greedy and ANSWER tokens long."""
    visitor.load(threads=str(THREADS))
    visitor.configure(temperature=0, max_tokens=ANSWER)
    return visitor


def test_page_says_how_it_runs_and_why(kind: Kind, loaded: Visitor) -> None:
    assert loaded.texts("rung") == ["Processor · WebAssembly"]
    loaded.click("rung")
    [panel] = loaded.texts("device-dialog")
    loaded.click("device-close")
    threads = f"{THREADS} threads" if kind.threads else "1 thread"
    assert f"Runs on the processor (WebAssembly, {threads})" in panel
    assert NO_WEBGPU in panel
    assert (NO_THREADS in panel) == (not kind.threads)


def test_answer_is_streamed(loaded: Visitor) -> None:
    answer = loaded.ask("What is clay?")
    growing = [text for text in loaded.tab.run("return window.seen;") if text]
    assert len(growing) >= 3
    assert all(answer.startswith(text.strip()) for text in growing)
    last = loaded.turns[-1]
    assert (last["finish"], last["stats"]["completionTokens"]) == ("length", ANSWER)


def test_reload_keeps_model_and_conversation(loaded: Visitor) -> None:
    answer = loaded.ask("What is a kiln?")
    turns = loaded.turns
    loaded.tab.reload()
    loaded.until(VISIBLE, "#input")  # without a click
    assert loaded.texts("answer")[-1] == answer
    assert loaded.turns == turns
    assert loaded.ask("And then?") != ""


def test_nothing_went_wrong(loaded: Visitor) -> None:
    assert loaded.problems == []
