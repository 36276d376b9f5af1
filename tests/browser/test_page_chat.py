"""A person at the chat page, from the first load to the end of the conversation."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser.chat_page import WATCH_ANSWERS, ChatPage
from tests.browser.conftest import ANSWER


def hold(route: Route) -> None:
    """Leaves a request unanswered, as a slow network would."""


def test_first_load_shows_progress(climber: ChatPage) -> None:
    climber.page.route("**/weights/*", hold)
    climber.open()
    expect(climber.get("model-name")).to_have_text("mini")
    expect(climber.get("model-size")).to_contain_text("downloaded once")
    climber.expect_card("graphics card (WebGPU)")
    expect(climber.get("load")).to_have_text("Load model")
    assert climber.requested("weights") == []
    climber.get("load").click()
    expect(climber.get("progress-text")).to_have_text(re.compile(r"[\d.]+ kB of [\d.]+ kB"))
    share = climber.page.locator("#progress-bar").evaluate("(bar) => bar.value")
    assert 0 < share < 1
    climber.get("cancel").click()
    expect(climber.get("load")).to_be_visible()
    expect(climber.page.locator("#notice")).to_be_hidden()
    climber.page.unroute("**/weights/*")
    climber.get("load").click()
    expect(climber.get("input")).to_be_focused()
    expect(climber.get("rung")).to_have_text("Graphics card · WebGPU")
    assert climber.requested("weights") != []


def test_answer_is_streamed(chat: ChatPage) -> None:
    chat.page.evaluate(WATCH_ANSWERS)
    answer = chat.ask("What is clay?")
    seen: list[str] = chat.page.evaluate("window.seen")
    growing = [text for text in seen if text]
    assert len(growing) >= 2  # on a busy machine a frame may show many tokens
    assert all(answer.startswith(text.strip()) for text in growing)
    assert chat.turns[-1]["finish"] == "length"
    assert chat.stats["completionTokens"] == ANSWER
    expect(chat.get("stats")).to_have_text(re.compile(rf"^{ANSWER} tokens · [\d.]+ tok/s · prompt"))
    expect(chat.get("finish-note")).to_contain_text("limit of tokens")
    expect(chat.get("context")).to_contain_text("of 2,048 tokens")


def test_stop_keeps_what_there_is(chat: ChatPage) -> None:
    chat.configure(temperature=0)
    chat.send("Tell me everything.")
    chat.started()
    chat.get("stop").click()
    first = chat.answered()
    assert first != ""
    expect(chat.get("finish-note")).to_have_text("You stopped this answer.")
    expect(chat.get("send")).to_be_visible()
    chat.send("And more.")
    chat.started()
    chat.page.keyboard.press("Escape")
    chat.answered()
    assert [turn["role"] for turn in chat.turns] == ["user", "assistant"] * 2
    assert chat.turns[1]["finish"] == chat.turns[3]["finish"] == "abort"
    assert chat.get("answer").first.inner_text() == first


def test_second_turn_reuses_the_first(chat: ChatPage) -> None:
    chat.ask("What is clay?")
    first = chat.stats
    assert first["cachedTokens"] < first["promptTokens"]
    chat.ask("And a kiln?")
    # All of the first prompt, and of its answer what tokenizes the same again.
    assert chat.stats["cachedTokens"] >= first["promptTokens"]
    assert chat.stats["cachedTokens"] < chat.stats["promptTokens"]
    expect(chat.get("stats").last).to_contain_text("reused")
    expect(chat.get("message-user")).to_have_count(2)
    expect(chat.get("message-assistant")).to_have_count(2)


def test_regenerate_replaces_the_answer(chat: ChatPage) -> None:
    first = chat.ask("What is clay?")
    assert chat.regenerate() == first  # greedy
    # All of the prompt but its last token, whose logits are needed again.
    assert chat.stats["cachedTokens"] == chat.stats["promptTokens"] - 1
    expect(chat.get("message-assistant")).to_have_count(1)
    chat.configure(temperature=1.5, max_tokens=ANSWER, seed=1)
    assert chat.regenerate() != first
    assert [turn["role"] for turn in chat.turns] == ["user", "assistant"]


def test_new_chat_forgets(chat: ChatPage) -> None:
    chat.configure(temperature=0)
    chat.send("What is clay?")
    chat.started()
    chat.get("new-chat").click()  # in the middle of an answer
    expect(chat.get("message-user")).to_have_count(0)
    expect(chat.get("message-assistant")).to_have_count(0)
    expect(chat.page.locator("#welcome")).to_be_visible()
    assert chat.turns == []
    chat.configure(temperature=0, max_tokens=ANSWER)
    chat.page.get_by_text("Why is the sky blue?").click()
    chat.get("send").click()
    chat.answered()
    assert [turn["role"] for turn in chat.turns] == ["user", "assistant"]
    assert chat.turns[0]["content"] == "Why is the sky blue?"


def test_answers_with_the_network_cut(chat: ChatPage) -> None:
    chat.context.set_offline(True)
    try:
        assert chat.ask("What is clay?") != ""
        assert chat.ask("And a kiln?") != ""
    finally:
        chat.context.set_offline(False)
    assert chat.requests == []


def test_reload_keeps_model_and_conversation(climber: ChatPage) -> None:
    climber.load()
    climber.configure(temperature=0, max_tokens=ANSWER)
    answer = climber.ask("What is clay?")
    assert climber.requested("weights") != []
    climber.requests.clear()
    climber.page.reload()
    expect(climber.get("input")).to_be_visible()  # without a click: it is known
    for folder in ("weights", "kernels", "plans", "tokenizer"):
        assert climber.requested(folder) == [], folder
    expect(climber.get("answer")).to_have_text(answer)
    climber.ask("And a kiln?")
    expect(climber.get("message-assistant")).to_have_count(2)


def fill_context(chat: ChatPage) -> None:
    """Asks until an answer ends for want of room."""
    for _ in range(6):
        chat.ask("What is clay, and what is a kiln?")
        if chat.get("overflow").is_visible():
            return
    pytest.fail("the context never filled")


def test_overflow_is_handled_in_the_open(visitor: ChatPage) -> None:
    visitor.load(context="160")
    visitor.configure(temperature=0, max_tokens=ANSWER)
    fill_context(visitor)
    count = len(visitor.turns)
    expect(visitor.get("overflow")).to_contain_text("fills the model's context")
    visitor.get("drop-oldest").click()
    expect(visitor.get("overflow")).to_be_hidden()
    expect(visitor.page.locator(".message.dropped").first).to_be_visible()
    visitor.answered()
    assert visitor.turns[0]["dropped"] is True
    assert visitor.ask("Go on.") != ""
    assert len(visitor.turns) >= count
    assert visitor.stats["promptTokens"] < 160

    fill_context(visitor)
    visitor.get("start-anew").click()
    expect(visitor.get("overflow")).to_be_hidden()
    expect(visitor.get("message-user")).to_have_count(0)
    assert visitor.ask("What is clay?") != ""

    visitor.get("new-chat").click()
    visitor.send("xyz " * 100)
    expect(visitor.get("overflow")).to_contain_text("alone takes up")
    expect(visitor.get("drop-oldest")).to_have_count(0)
    visitor.get("start-anew").click()
    assert visitor.ask("What is clay?") != ""


HOSTILE = """Hello **bold** <script>window.ran = 1</script>
<img src=x onerror="window.ran = 2"> <svg onload="window.ran = 3"></svg>
<iframe srcdoc="<script>parent.ran = 4</script>"></iframe>
[link](javascript:window.ran=5) [data](data:text/html,<script>window.ran=6</script>)
![picture](http://other.test/pixel.png) <a href="javascript:window.ran=7" onclick="ran=8">a</a>
<style>body { display: none }</style><form action="http://other.test/"><input></form>

<http://safe.test/>

| a | b |
|---|---|
| <img src=x onerror=window.ran=9> | ok |
"""


def test_answers_cannot_run_or_load_anything(visitor: ChatPage) -> None:
    turns = [
        {"role": "user", "content": HOSTILE},
        {"role": "assistant", "content": HOSTILE, "finish": "stop"},
    ]
    former = json.dumps(json.dumps(turns))
    visitor.context.add_init_script(f"sessionStorage.setItem('webkiln.conversation', {former})")
    visitor.open()
    expect(visitor.get("load")).to_be_enabled()
    answer = visitor.get("answer")
    expect(answer.locator("strong")).to_have_text("bold")
    expect(answer.locator("td").last).to_have_text("ok")
    forbidden = "script, img, svg, iframe, style, form, input, [onclick], [onerror], [onload]"
    expect(visitor.get("message-user").locator(forbidden)).to_have_count(0)
    expect(answer.locator(forbidden)).to_have_count(0)
    links: list[str] = answer.locator("a[href]").evaluate_all("(all) => all.map((a) => a.href)")
    assert links == ["http://safe.test/"]
    assert answer.locator("a[href]").get_attribute("rel") == "noopener noreferrer"
    assert visitor.page.evaluate("window.ran") is None


def test_settings_are_checked_and_kept(chat: ChatPage, visitor: ChatPage) -> None:
    chat.ask("What is clay?")
    plain = chat.stats["promptTokens"]
    chat.get("settings").click()
    limit = chat.get("setting-max_tokens")
    for wrong in ("0", "1.5", "many"):
        limit.fill(wrong)
        expect(limit).to_have_attribute("aria-invalid", "true")
        expect(chat.page.locator("#setting-max_tokens-help")).to_contain_text("from 1 to")
    limit.fill("5")
    expect(limit).to_have_attribute("aria-invalid", "false")
    chat.get("settings-close").click()
    chat.get("new-chat").click()
    chat.get("settings").click()
    chat.get("system-prompt").fill("You are a potter.")
    chat.get("settings-close").click()
    chat.ask("What is clay?")
    assert chat.stats["completionTokens"] == 5
    assert chat.stats["promptTokens"] > plain

    visitor.open()
    visitor.get("settings").click()
    visitor.get("setting-seed").fill("7")
    visitor.get("setting-temperature").fill("7")
    expect(visitor.page.locator("#setting-temperature-help")).to_contain_text("from 0 to 2")
    visitor.get("system-prompt").fill("You are a potter.")
    visitor.page.reload()
    visitor.get("settings").click()
    expect(visitor.get("setting-seed")).to_have_value("7")
    expect(visitor.get("setting-temperature")).to_have_value("0.7")  # what is refused is not kept
    expect(visitor.get("system-prompt")).to_have_value("You are a potter.")
    visitor.get("settings-reset").click()
    expect(visitor.get("setting-seed")).to_have_value("")
    expect(visitor.get("system-prompt")).to_have_value("")


def test_seed_repeats_an_answer(chat: ChatPage) -> None:
    chat.configure(temperature=1.5, max_tokens=ANSWER, seed=7)
    first = chat.ask("What is clay?")
    assert chat.regenerate() == first
    chat.configure(temperature=1.5, max_tokens=ANSWER, seed=8)
    assert chat.regenerate() != first


def test_keyboard_alone_suffices(visitor: ChatPage) -> None:
    keyboard = visitor.page.keyboard
    focused = "document.activeElement?.dataset.testid ?? ''"

    def tab_to(testid: str) -> None:
        passed: list[str] = []
        for _ in range(60):
            passed.append(visitor.page.evaluate(focused))
            if passed[-1] == testid:
                return
            keyboard.press("Tab")
        pytest.fail(f"Tab never reaches {testid}, only {passed}")

    visitor.open()
    visitor.configure(temperature=0)  # a sampled answer might end before Tab gets to `stop`
    expect(visitor.get("load")).to_be_enabled()
    tab_to("load")
    keyboard.press("Enter")
    expect(visitor.get("input")).to_be_focused()
    keyboard.type("What is clay?")
    keyboard.press("Shift+Enter")
    keyboard.type("Two lines.")
    keyboard.press("Enter")
    visitor.started()
    tab_to("stop")
    keyboard.press("Enter")
    visitor.answered()
    expect(visitor.get("input")).to_be_focused()  # where the next question goes
    assert visitor.turns[0]["content"] == "What is clay?\nTwo lines."
    tab_to("settings")
    keyboard.press("Enter")
    expect(visitor.get("settings-dialog")).to_be_visible()
    keyboard.press("Escape")
    expect(visitor.get("settings-dialog")).to_be_hidden()
    expect(visitor.get("settings")).to_be_focused()
    tab_to("rung")
    keyboard.press("Enter")
    expect(visitor.get("device-dialog")).to_contain_text("Runs on the graphics card")


def test_policy_refuses_other_origins(chat: ChatPage) -> None:
    """What `assert_clean` looks for in every test, on purpose."""
    assert chat.page.evaluate("crossOriginIsolated") is True
    refused = "fetch('http://other.test/').then(() => 'sent', () => 'refused')"
    assert chat.page.evaluate(refused) == "refused"
    assert any("connect-src" in problem for problem in chat.problems)
    chat.problems.clear()
    assert chat.worker.evaluate(refused) == "refused"
    chat.problems.clear()
    chat.requests = [url for url in chat.requests if not url.startswith("http://other.test")]
