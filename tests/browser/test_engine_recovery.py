"""Devices lost in mid-answer: the answer goes on, and is the one it would have been."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.engine_page import ANSWER, EnginePage, ask, engine_page
from tests.browser.miniature import MODEL, Miniature, continuation, decode, encode
from web.browser import browser

LOSE = "lose device"
PROMPT = "b and more"


@pytest.fixture(scope="module")
def instance() -> Iterator[Browser]:
    with browser() as instance:
        yield instance


@pytest.fixture
def page(instance: Browser) -> Iterator[EnginePage]:
    with engine_page(instance, Miniature(stop_tokens=[]), hooks=True) as page:
        page.loaded(context=4096)
        page.site.hits.clear()
        yield page


def test_a_lost_device_is_opened_anew_and_the_answer_goes_on(page: EnginePage) -> None:
    length = 1500
    request = ask(PROMPT, length)
    result = page.value(ANSWER, {"orders": [[5, LOSE]], "request": request})
    assert result["text"] == decode(continuation(encode(PROMPT), length))
    assert result["finish"] == "length"
    assert result["usage"]["prompt_tokens"] == len(PROMPT)
    assert result["usage"]["completion_tokens"] == length
    fetched = [path for path in page.site.hits if path.startswith(MODEL)]
    assert fetched == [], "what is cached must not be downloaded again"
    note = "The graphics device was lost; the answer went on after reloading."
    (change,) = page.page.evaluate("changes")
    assert change["notes"] == [note]
    info = page.page.evaluate("engine.info")
    assert info == change
    assert (info["variant"], info["backend"], info["report"]["chosen"]) == ("f32", "webgpu", "f32")
    # What the new device computes from here on is right as well.
    ids = encode("again")
    assert page.value("return engine.generate(arg, 5)", ids) == continuation(ids, 5)


def test_a_second_loss_in_one_answer_is_the_end_of_the_only_rung(page: EnginePage) -> None:
    orders = {"orders": [[5, LOSE], [800, LOSE]], "request": ask(PROMPT, 4000)}
    assert page.error(ANSWER, orders)["code"] == "device-lost"
    # The way back is a new engine.
    assert page.error("return engine.generate([1], 1)")["code"] == "device-lost"
    page.loaded()
    ids = encode("again")
    assert page.value("return engine.generate(arg, 5)", ids) == continuation(ids, 5)


def test_an_answer_can_be_aborted_while_it_is_repaired(page: EnginePage) -> None:
    result = page.value(
        """
        const controller = new AbortController();
        const request = { ...arg, stream: true, signal: controller.signal };
        let text = "", last, lost = false;
        for await (const chunk of await engine.chat.completions.create(request)) {
          text += chunk.choices[0].delta.content ?? "";
          if (text !== "" && !lost) {
            lost = true;
            new BroadcastChannel("test").postMessage("lose device");
            // Long enough for the loss to be noticed, too short for a device to be opened.
            setTimeout(() => controller.abort(), 5);
          }
          last = chunk;
        }
        return [text, last.choices[0].finish_reason, last.usage.completion_tokens];
        """,
        ask(PROMPT, 4000),
    )
    assert result[1] == "abort"
    assert 0 < result[2] == len(result[0]) < 4000
    assert decode(continuation(encode(PROMPT), 4000)).startswith(result[0])
    ids = encode("again")
    assert page.value("return engine.generate(arg, 5)", ids) == continuation(ids, 5)


def test_generate_and_evaluate_survive_a_loss_between_calls(page: EnginePage) -> None:
    ids = encode("some prompt")
    lose = 'new BroadcastChannel("test").postMessage("lose device");'
    found = page.value(f"{lose} return engine.generate(arg, 30)", ids)
    assert found == continuation(ids, 30)
