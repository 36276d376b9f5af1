"""The last rung with real servers, llama.cpp's own and llama-cpp-python's, with a token each."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_page import WATCH_ANSWERS, ChatPage, visit
from tests.browser.offline_site import write_models
from tests.browser.server_site import ServerDialog, allowing, on_server
from tests.support.llama_cpp_python import llama_cpp_python
from tests.support.llama_server import llama_server
from tests.support.smollm2 import smollm2_gguf

TOKEN = "fired clay"
LENGTH = 16  # tokens of an answer: fewer than this model has to say

Server = Callable[[Path, str], AbstractContextManager[str]]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(llama_server, id="llama.cpp"),
        pytest.param(llama_cpp_python, id="llama-cpp-python", marks=pytest.mark.soak),
    ],
)
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    start: Server = request.param
    with start(smollm2_gguf(), TOKEN) as address:
        yield address


@pytest.fixture
def guest(
    chromium: Browser, server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ChatPage]:
    models = write_models(tmp_path_factory.mktemp("site"))
    with allowing(models, server) as address, visit(chromium, address) as page:
        yield page
        assert all(url.startswith(f"{server}/v1/") for url in page.strangers())


def directly(server: str, messages: list[dict[str, Any]]) -> str:
    """What the server answers whoever asks it without a page, greedily."""
    turns = [{"role": turn["role"], "content": turn["content"]} for turn in messages]
    body = {"model": "smollm2", "messages": turns, "temperature": 0, "max_tokens": LENGTH}
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(
        f"{server}/v1/chat/completions", json.dumps(body).encode(), headers
    )
    with urllib.request.urlopen(request) as response:
        text: str = json.load(response)["choices"][0]["message"]["content"]
    return text.strip()


def test_a_real_server_answers(guest: ChatPage, server: str) -> None:
    guest.climb()
    dialog = ServerDialog(guest)
    dialog.get("start").click()
    dialog.connect(server, "wrong")
    dialog.expect_fault("server-token")
    guest.problems.clear()  # the browser's own words on the refusal
    dialog.connect(server, TOKEN)
    expect(dialog.get("model")).to_have_text("smollm2")
    dialog.get("use").click()
    guest.configure(temperature=0, max_tokens=LENGTH)
    guest.page.evaluate(WATCH_ANSWERS)
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    answer = guest.ask(messages[0]["content"])
    assert answer == directly(server, messages)
    assert len(guest.page.evaluate("window.seen")) > 3  # word by word
    assert guest.turns[-1]["finish"] == "length"  # llama-cpp-python counts no tokens for streams
    messages += [guest.turns[-1], {"role": "user", "content": "And of Italy?"}]
    assert guest.ask("And of Italy?") == directly(server, messages)
    guest.configure(temperature=0)
    guest.send("Tell me a very long story.")
    guest.started()
    guest.get("stop").click()
    guest.answered()
    expect(guest.get("finish-note").last).to_have_text("You stopped this answer.")
    guest.assert_no_problems()


def test_a_real_server_tells_that_its_context_is_full(guest: ChatPage, server: str) -> None:
    on_server(guest, server, TOKEN)
    guest.send("clay " * 600)
    expect(guest.get("overflow")).to_contain_text("takes up the model's whole context")
