"""The WebAssembly backend in Chromium, on one thread and on several: known answers, and faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.engine_page import ANSWER, EnginePage, ask, engine_page
from tests.browser.miniature import STOP, VOCABULARY, continuation, decode, encode
from tests.browser.wasm_miniature import FAULT_AT, SINGLE, THREADED, WasmMiniature
from web.browser import browser

PROMPT = "Now is the time for all good men"
THREADS = {SINGLE: 1, THREADED: 3}  # more than some machines have cores: threads must sleep too

# In front of thread.js: every helper that lives holds a lock.
COUNTED = b'navigator.locks.request("helper " + Math.random(), () => new Promise(() => {}));'
HELPERS = """
  const { held } = await navigator.locks.query();
  return held.filter(({ name }) => name.startsWith("helper")).length === count;
"""
# In front of thread.js: helpers have another `sum`.
IMPOSTOR = b"""
const instantiate = WebAssembly.instantiate;
WebAssembly.instantiate = async (...args) => {
  const { exports } = await instantiate(...args);
  return { exports: { ...exports, sum: (a, b, c, d, begin, end) => 9 } };
};
"""
# In front of a script: its threads are slow at `sum`, so that others get to do most of it.
SLUGGISH = b"""
const original = WebAssembly.instantiate;
WebAssembly.instantiate = async (...args) => {
  const { exports } = await original(...args);
  const sum = (a, b, c, d, begin, end) => {
    for (const until = performance.now() + 20; performance.now() < until; );
    return exports.sum(a, b, c, d, begin, end);
  };
  return { exports: { ...exports, sum } };
};
"""
# Streams an answer and aborts it after so many milliseconds.
ABORT = """
  const controller = new AbortController();
  setTimeout(() => controller.abort(), arg.after);
  const request = { ...arg.request, stream: true, signal: controller.signal };
  let text = "", last;
  for await (const chunk of await engine.chat.completions.create(request)) {
    text += chunk.choices[0].delta.content ?? "";
    last = chunk;
  }
  return { text, finish: last.choices[0].finish_reason };
"""


@pytest.fixture(scope="module")
def instance() -> Iterator[Browser]:
    with browser(webgpu=False) as instance:
        yield instance


@pytest.fixture(scope="module", params=[SINGLE, THREADED])
def loaded(request: pytest.FixtureRequest, instance: Browser) -> Iterator[EnginePage]:
    """One engine for all tests: what one leaves in its KV cache must not harm the next."""
    variant: str = request.param
    with engine_page(instance, WasmMiniature(stop_tokens=[])) as page:
        info = page.loaded(variant=variant, threads=THREADS[variant], context=4096)
        assert info["backend"] == "wasm"
        assert info["threads"] == THREADS[variant]
        yield page


def expected(prompt: str, count: int) -> str:
    return decode(continuation(encode(prompt), count))


def counted_helpers(page: EnginePage, count: int) -> None:
    """Waits until so many helpers live."""
    page.page.wait_for_function(f"async (count) => {{ {HELPERS} }}", arg=count)


def answer(page: EnginePage, request: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = page.value(ANSWER, {"request": request, "orders": []})
    return value


@pytest.mark.parametrize("length", [1, 2, 5, 16, 17, 50, 300])
def test_generate_is_right_token_by_token(loaded: EnginePage, length: int) -> None:
    ids = [(7 * i + length) % VOCABULARY for i in range(length)]
    assert loaded.value("return engine.generate(arg, 100)", ids) == continuation(ids, 100)


def test_evaluate_forces_tokens(loaded: EnginePage) -> None:
    ids = encode("forced and then some")
    logits = loaded.value("return [...(await engine.evaluate(arg, 3))]", ids)
    rows = [logits[i : i + VOCABULARY] for i in range(0, len(logits), VOCABULARY)]
    assert [row.index(1) for row in rows] == [
        continuation(ids[: n + 1], 1)[0] for n in range(3, len(ids))
    ]


def test_an_answer_streams_and_a_second_turn_reuses_it(loaded: EnginePage) -> None:
    first = answer(loaded, ask(PROMPT, 40))
    assert first["text"] == expected(PROMPT, 40)
    again = PROMPT + first["text"] + "and"
    second = answer(loaded, ask(again, 40))
    assert second["text"] == expected(again, 40)
    assert second["usage"]["cached_tokens"] >= len(PROMPT) + 39


def test_an_abort_gets_in_while_tokens_flow(loaded: EnginePage) -> None:
    result = loaded.value(ABORT, {"request": ask("b", 4000), "after": 30})
    assert result["finish"] == "abort"
    assert len(result["text"]) < 4000
    assert expected("b", 4000).startswith(result["text"])


def test_an_abort_gets_in_during_a_prefill(instance: Browser) -> None:
    busy = WasmMiniature(stop_tokens=[], busy=2_000_000)
    with engine_page(instance, busy) as page:
        page.loaded(variant=THREADED, threads=2, context=4096)
        prompt = "b" * 4000
        result = page.value(ABORT, {"request": ask(prompt, 1), "after": 100})
        assert result == {"text": "", "finish": "abort"}
        again = answer(page, ask(prompt, 3))
        assert 0 < again["usage"]["cached_tokens"] < 3000
        assert again["text"] == expected(prompt, 3)


def test_requests_made_at_once_are_answered_one_after_another(loaded: EnginePage) -> None:
    prompts = [encode(text) for text in ("first", "second", "third")]
    body = "return Promise.all(arg.map((ids) => engine.generate(ids, 20)))"
    assert loaded.value(body, prompts) == [continuation(ids, 20) for ids in prompts]


def test_a_stop_token_ends_an_answer(instance: Browser) -> None:
    with engine_page(instance, WasmMiniature()) as page:
        page.loaded(variant=THREADED, threads=2)
        result = answer(page, ask(PROMPT, 100))
    ids = continuation(encode(PROMPT), 100)
    assert result["text"] == decode(ids[: ids.index(STOP)])
    assert result["finish"] == "stop"


def test_helpers_end_with_the_engine(instance: Browser) -> None:
    with engine_page(instance, WasmMiniature()) as page:
        page.site.files["/thread.js"] = COUNTED + page.site.files["/thread.js"]
        page.loaded(variant=THREADED, threads=4)
        counted_helpers(page, 3)
        page.value("return engine.generate([5], 5)")
        page.value("await engine.dispose()")
        counted_helpers(page, 0)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("__builtin_trap()", "the kernel sum failed: RuntimeError: unreachable"),
        ("return 7", "the kernel sum failed: it returned 7"),
    ],
)
@pytest.mark.parametrize("variant", [SINGLE, THREADED])
def test_a_kernel_that_fails_is_named(
    instance: Browser, variant: str, fault: str, message: str
) -> None:
    with engine_page(instance, WasmMiniature(fault=fault, stop_tokens=[])) as page:
        page.site.files["/thread.js"] = COUNTED + page.site.files["/thread.js"]
        page.loaded(variant=variant, threads=2)
        before = page.value("return engine.generate([5], arg)", FAULT_AT)
        assert before == continuation([5], FAULT_AT)
        error = page.error("return engine.generate([5], arg)", FAULT_AT + 1)
        assert error["code"] == "kernel-fault"
        assert message in error["message"]
        counted_helpers(page, 0)  # backends that failed leave none behind


def test_a_fault_of_a_helper_alone_ends_all_threads(instance: Browser) -> None:
    with engine_page(instance, WasmMiniature()) as page:
        page.site.files["/thread.js"] = IMPOSTOR + page.site.files["/thread.js"]
        page.site.files["/worker.js"] = SLUGGISH + page.site.files["/worker.js"]
        error = page.refused(variant=THREADED, threads=3)
    assert error["code"] == "kernel-fault"
    assert "the kernel sum failed: it returned 9" in error["message"]


@pytest.mark.parametrize("script", ["/worker.js", "/thread.js"])
def test_threads_of_different_speed(instance: Browser, script: str) -> None:
    with engine_page(instance, WasmMiniature(stop_tokens=[])) as page:
        page.site.files[script] = SLUGGISH + page.site.files[script]
        page.loaded(variant=THREADED, threads=3)
        assert page.value("return engine.generate(arg, 20)", [5, 6]) == continuation([5, 6], 20)


def test_a_helper_that_cannot_start_costs_the_threads_only(instance: Browser) -> None:
    with engine_page(instance, WasmMiniature()) as page:
        del page.site.files["/thread.js"]
        info = page.loaded(threads=2)
        assert page.value("return engine.generate([5], 9)") == continuation([5], 9)
    assert info["variant"] == SINGLE
    assert info["threads"] == 1
    refused = next(rung for rung in info["report"]["rungs"] if rung["variant"] == THREADED)
    assert "helper thread 1 could not be started" in " ".join(refused["reasons"])


def test_memory_beyond_4_gib_is_refused(instance: Browser) -> None:
    # The check of the device would find it first, if the manifest did not hide it.
    with engine_page(instance, WasmMiniature(context=2**31, understated=True)) as page:
        error = page.refused(variant=SINGLE, context=2**30)
        largest = int(error["hint"].split("at most ")[1].split()[0])
        assert page.loaded(variant=SINGLE, context=largest // 16)["context"] == largest // 16
    assert error["code"] == "device-too-small"
    assert "8.0 GiB of memory at a context of 1073741824" in error["message"]
    assert "4 GiB" in error["message"]
    assert 2**32 - 2**21 < 8 * largest < 2**32  # two buffers of 4 bytes per token


def test_a_browser_without_memory_left(instance: Browser) -> None:
    with engine_page(instance, WasmMiniature()) as page:
        # Truly filling the memory would take other tests with it.
        page.site.files["/worker.js"] = (
            b"WebAssembly.Memory = class { constructor() { throw new RangeError('full'); } };"
            + page.site.files["/worker.js"]
        )
        error = page.refused(variant=SINGLE)
    assert error["code"] == "out-of-memory"
    assert "full" in error["message"]


def test_a_module_without_the_contracts_exports(instance: Browser) -> None:
    with engine_page(instance, WasmMiniature(exports=("__stack_pointer",))) as page:
        error = page.refused(variant=SINGLE)
    assert error["code"] == "bad-bundle"
    assert "set_workspace" in error["message"]
