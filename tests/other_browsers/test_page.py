"""The chat page where there is no WebGPU: it says so, and answers all the same."""

from __future__ import annotations

import pytest

from tests.other_browsers.conftest import Kind
from tests.other_browsers.visitor import Visitor

ANSWER = 24  # tokens: the tiny model hardly ever ends by itself


@pytest.fixture(scope="module")
def loaded(visitor: Visitor) -> Visitor:
    """The page with the model; answers are greedy and ANSWER tokens long."""
    visitor.load()
    visitor.configure(temperature=0, max_tokens=ANSWER)
    return visitor


def test_rung_and_its_reasons(kind: Kind, loaded: Visitor) -> None:
    [chip] = loaded.texts("rung")
    assert "WebAssembly" in chip
    loaded.click("rung")
    [panel] = loaded.texts("device-dialog")
    loaded.click("device-close")
    assert "This browser does not offer WebGPU" in panel


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
    loaded.until("return document.querySelector('#input')?.checkVisibility();")  # without a click
    assert loaded.texts("answer")[-1] == answer
    assert loaded.turns == turns
    assert loaded.ask("And then?") != ""


def test_nothing_went_wrong(loaded: Visitor) -> None:
    assert loaded.problems == []
