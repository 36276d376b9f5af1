"""Speculation on real WebGPU: the same tokens in fewer steps.

Kernels of one row and of several round differently, by far less than what lies between the tiny
model's likeliest tokens here; with other seeds a tie could be broken the other way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.engine_page import EnginePage, engine_page
from tests.support.tiers import sampled

CONTEXT = 256
NOVEL = "the potter throws the clay"
REPETITIVE = "the lamp burns low; the lamp burns low; the lamp burns"
ASK = "return engine.chat.completions.create(arg)"


@pytest.fixture(scope="module")
def loaded(chromium: Browser, tiny_bundle: Path) -> Iterator[EnginePage]:
    with engine_page(chromium, tiny_bundle) as page:
        page.loaded(variant="f32", context=CONTEXT)
        yield page


def answer(page: EnginePage, content: str, speculation: str, **settings: Any) -> dict[str, Any]:
    """The text, how it ended, and the usage."""
    messages = [{"role": "user", "content": content}]
    request = {"messages": messages, "temperature": 0, "max_tokens": 120, **settings}
    completion = page.value(ASK, {**request, "speculation": speculation})
    (choice,) = completion["choices"]
    text, reason = choice["message"]["content"], choice["finish_reason"]
    return {"text": text, "reason": reason, **completion["usage"]}


@pytest.mark.parametrize("prompt", [NOVEL, REPETITIVE])
def test_greedy_tokens_are_the_same(loaded: EnginePage, prompt: str) -> None:
    ids = loaded.value("return engine.tokenize(arg)", prompt)
    body = 'return engine.generate(arg, 120, "{}")'
    single, guessed = (loaded.value(body.format(mode), ids) for mode in ("off", "on"))
    assert len(single) == 120
    assert guessed == single


SETTINGS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "cool": {"temperature": 0.3, "seed": 3},
    "filters": {"temperature": 1, "top_k": 2, "top_p": 0.9, "min_p": 0.02, "seed": 1},
    "penalties": {  # in favour of repetition, or there would be few right guesses
        "temperature": 1,
        "top_p": 1,
        "seed": 3,
        "repetition_penalty": 0.3,
        "presence_penalty": -1,
        "frequency_penalty": -0.2,
    },
    "greedy with penalties": {"repetition_penalty": 0.8, "presence_penalty": 0.3},
}


@pytest.mark.parametrize("name", sampled(SETTINGS, ["cool", "penalties"]))
def test_answers_are_the_same(loaded: EnginePage, name: str) -> None:
    single, guessed = (answer(loaded, REPETITIVE, m, **SETTINGS[name]) for m in ("off", "on"))
    assert guessed["text"] == single["text"]
    assert guessed["completion_tokens"] == single["completion_tokens"] == 120
    assert single["guessed_tokens"] == 0
    assert guessed["guessed_tokens"] > 0


def test_a_full_context_ends_as_length(loaded: EnginePage) -> None:
    single, guessed = (answer(loaded, NOVEL, m, max_tokens=1000) for m in ("off", "on"))
    assert guessed["text"] == single["text"]
    assert guessed["reason"] == single["reason"] == "length"
    assert guessed["total_tokens"] == CONTEXT + 1


def test_the_next_turn_builds_on_what_was_taken(loaded: EnginePage) -> None:
    body = """
      const first = await engine.generate(arg, 50, "on");
      const next = [...arg, ...first, ...arg];
      return [await engine.generate(next, 50, "on"), await engine.generate(next, 50, "off"),
              [...(await engine.evaluate(next, next.length - 1))].length];
    """
    ids = loaded.value("return engine.tokenize(arg)", NOVEL)
    guessed, single, vocabulary = loaded.value(body, ids)
    assert guessed == single
    assert vocabulary == loaded.value("return engine.info.vocabulary")


@pytest.mark.soak
def test_left_to_itself_it_gives_the_same(chromium: Browser, tiny_bundle: Path) -> None:
    """Whether it guesses is left to its clock, which generate.test.ts holds; here it is any."""
    settings = {**SETTINGS["penalties"], "repetition_penalty": 0.2, "presence_penalty": 0.5}
    with engine_page(chromium, tiny_bundle) as page:
        page.loaded(variant="f32", context=CONTEXT)
        single, free = (answer(page, REPETITIVE, mode, **settings) for mode in ("off", "auto"))
    assert free["text"] == single["text"]
    assert free["completion_tokens"] == single["completion_tokens"] == 120
