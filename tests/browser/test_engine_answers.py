"""The engine on a hand-written bundle whose answers are known: the token loop on real WebGPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.engine_page import EnginePage, engine_page
from tests.browser.miniature import STOP, VOCABULARY, Miniature, continuation, decode, encode

PROMPT = "Now is the time for all good men"
CHAT = """
  const stream = await engine.chat.completions.create({ ...arg, stream: true });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
"""


def ask(content: str, **settings: object) -> dict[str, object]:
    messages = [{"role": "user", "content": content}]
    return {"messages": messages, "temperature": 0, "max_tokens": 40, **settings}


@pytest.fixture(scope="module")
def loaded(chromium: Browser) -> Iterator[EnginePage]:
    """One engine for all tests: what one leaves in its KV cache must not harm the next."""
    with engine_page(chromium) as page:
        page.loaded()
        yield page


@pytest.fixture(scope="module")
def endless(chromium: Browser) -> Iterator[EnginePage]:
    """An engine whose answers never end by themselves."""
    with engine_page(chromium, Miniature(stop_tokens=[])) as page:
        page.loaded()
        yield page


def expected(prompt: str, limit: int) -> str:
    """The answer up to the first stop token."""
    ids = continuation(encode(prompt), limit)
    return decode(ids[: ids.index(STOP)] if STOP in ids else ids)


def test_generate_is_right_token_by_token(loaded: EnginePage) -> None:
    ids = encode(PROMPT)
    assert loaded.value("return engine.generate(arg, 100)", ids) == continuation(ids, 100)


@pytest.mark.parametrize("length", [1, 2, 5, 16, 17, 18, 21, 50])
def test_every_prompt_length_around_the_chunk_sizes(loaded: EnginePage, length: int) -> None:
    ids = [(7 * i + length) % VOCABULARY for i in range(length)]
    assert loaded.value("return engine.generate(arg, 5)", ids) == continuation(ids, 5)


def test_evaluate_forces_tokens(loaded: EnginePage) -> None:
    ids = encode("forced and then some")
    body = "return [...(await engine.evaluate(arg, 3))]"
    logits = loaded.value(body, ids)
    assert len(logits) == (len(ids) - 3) * VOCABULARY
    rows = [logits[i : i + VOCABULARY] for i in range(0, len(logits), VOCABULARY)]
    likeliest = [row.index(max(row)) for row in rows]
    assert likeliest == [continuation(ids[: n + 1], 1)[0] for n in range(3, len(ids))]


def test_an_answer_streams_and_adds_up(loaded: EnginePage) -> None:
    chunks = loaded.value(CHAT, ask(PROMPT))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    text = "".join(delta.get("content", "") for delta in deltas)
    assert deltas[0]["role"] == "assistant"
    assert text == expected(PROMPT, 40)
    last = chunks[-1]
    assert last["choices"][0]["finish_reason"] == ("stop" if len(text) < 40 else "length")
    assert last["usage"]["prompt_tokens"] == len(PROMPT)
    assert last["usage"]["completion_tokens"] == len(text)
    assert loaded.value("return engine.countTokens(arg)", ask(PROMPT)["messages"]) == len(PROMPT)


def test_a_stop_token_ends_an_answer(loaded: EnginePage) -> None:
    chunks = loaded.value(CHAT, ask(PROMPT, max_tokens=100))
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == expected(PROMPT, 100)
    assert len(text) < VOCABULARY
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_stop_string_is_not_shown(loaded: EnginePage) -> None:
    answer = expected(PROMPT, 40)
    stop = answer[5:8]
    body = "return engine.chat.completions.create(arg)"
    completion = loaded.value(body, ask(PROMPT, stop=[stop]))
    assert completion["choices"][0]["message"]["content"] == answer[: answer.index(stop)]
    assert completion["choices"][0]["finish_reason"] == "stop"


def test_a_second_turn_prefills_only_what_is_new(loaded: EnginePage) -> None:
    body = "return engine.chat.completions.create(arg)"
    first = loaded.value(body, ask("Tell me", max_tokens=10))
    answer = first["choices"][0]["message"]["content"]
    again = f"Tell me{answer} and more"
    second = loaded.value(body, ask(again, max_tokens=10))
    assert second["choices"][0]["message"]["content"] == expected(again, 10)
    assert second["usage"]["cached_tokens"] >= len("Tell me") + len(answer) - 1


def test_requests_made_at_once_are_answered_one_after_another(loaded: EnginePage) -> None:
    prompts = [encode(text) for text in ("first", "second", "third")]
    body = "return Promise.all(arg.map((ids) => engine.generate(ids, 20)))"
    assert loaded.value(body, prompts) == [continuation(ids, 20) for ids in prompts]


def test_abort_ends_an_answer_with_what_there_is(endless: EnginePage) -> None:
    result = endless.value(
        """
        const controller = new AbortController();
        const request = { ...arg, stream: true, signal: controller.signal };
        let text = "", last;
        for await (const chunk of await engine.chat.completions.create(request)) {
          text += chunk.choices[0].delta.content ?? "";
          if (text !== "") controller.abort();
          last = chunk;
        }
        return [text, last.choices[0].finish_reason];
        """,
        ask("b", max_tokens=400),
    )
    assert result[1] == "abort"
    assert 0 < len(result[0]) < 400
    assert decode(continuation(encode("b"), 400)).startswith(result[0])


def test_leaving_the_loop_frees_the_engine(endless: EnginePage) -> None:
    result = endless.value(
        """
        const request = { ...arg.request, stream: true };
        for await (const chunk of await engine.chat.completions.create(request)) {
          if (chunk.choices[0].delta.content) break;
        }
        return engine.generate(arg.ids, 5);
        """,
        {"request": ask("b", max_tokens=400), "ids": encode("next")},
    )
    assert result == continuation(encode("next"), 5)


def test_overflow_is_an_error_before_prefill(loaded: EnginePage) -> None:
    request = ask("x" * 513)
    assert loaded.error(CHAT, request)["code"] == "context-overflow"
    error = loaded.error("return engine.chat.completions.create(arg)", request)
    assert "513" in error["message"]
    assert "512" in error["message"]


def test_a_full_context_ends_as_length(loaded: EnginePage) -> None:
    ids = [1 + i % (VOCABULARY - 1) for i in range(500)]
    body = "return engine.chat.completions.create(arg)"
    text = decode(ids)
    completion = loaded.value(body, ask(text, max_tokens=1000))
    # Position 511 is the last to be consumed; what it gives needs no place in the cache.
    answer = expected(text, 13)
    assert completion["choices"][0]["message"]["content"] == answer
    assert completion["choices"][0]["finish_reason"] == ("length" if len(answer) == 13 else "stop")


def test_absurd_requests_are_refused(loaded: EnginePage) -> None:
    error = loaded.error("return engine.chat.completions.create(arg)", ask("hi", temperature=-3))
    assert error["code"] == "bad-request"
    assert "temperature is -3" in error["message"]
    error = loaded.error("return engine.generate(arg, 1)", [VOCABULARY])
    assert error["code"] == "bad-request"
    assert f"ids[0] is {VOCABULARY}" in error["message"]
