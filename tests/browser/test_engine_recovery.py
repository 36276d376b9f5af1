"""Devices lost in mid-answer: the answer goes on, and is the one it would have been."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.engine_page import ANSWER, EnginePage, ask, engine_page
from tests.browser.miniature import MODEL, Miniature, continuation, decode, encode
from tests.browser.outcomes import record
from tests.browser.wasm_miniature import SINGLE, THREADED, WasmMiniature

LOSE = "lose device"
PROMPT = "b and more"
# SwiftShader, taken for a graphics card: the ladder then begins with it.
REAL = b"Object.defineProperty(GPUAdapterInfo.prototype, 'isFallbackAdapter', { value: false });"


@pytest.fixture
def page(chromium: Browser) -> Iterator[EnginePage]:
    with engine_page(chromium, Miniature(stop_tokens=[]), hooks=True) as page:
        page.loaded(context=4096)
        page.site.hits.clear()
        yield page


@pytest.fixture
def tall(chromium: Browser) -> Iterator[EnginePage]:
    """A ladder of f32 on WebGPU, wasm-threads and wasm."""
    with engine_page(chromium, WasmMiniature(stop_tokens=[]), hooks=True) as page:
        page.site.files["/worker.js"] = REAL + page.site.files["/worker.js"]
        assert page.loaded(context=4096, threads=2)["variant"] == "f32"
        page.site.hits.clear()
        yield page


def expected(length: int) -> str:
    return decode(continuation(encode(PROMPT), length))


def test_a_lost_device_is_opened_anew_and_the_answer_goes_on(page: EnginePage) -> None:
    length = 1500
    request = ask(PROMPT, length)
    result = page.value(ANSWER, {"orders": [[5, LOSE]], "request": request})
    assert result["text"] == expected(length)
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
    record("GPU device lost twice in one answer, no other rung", "refused")


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
    assert expected(4000).startswith(result[0])
    ids = encode("again")
    assert page.value("return engine.generate(arg, 5)", ids) == continuation(ids, 5)


def test_generate_and_evaluate_survive_a_loss_between_calls(page: EnginePage) -> None:
    ids = encode("some prompt")
    lose = 'new BroadcastChannel("test").postMessage("lose device");'
    found = page.value(f"{lose} return engine.generate(arg, 30)", ids)
    assert found == continuation(ids, 30)


def test_a_pause_that_comes_after_the_load_holds_nothing_up(page: EnginePage) -> None:
    """Even where the way back needs what is no longer on the disk."""
    ids = encode("some prompt")
    found = page.value(
        """
        const { createEngine, Download } = await import("/engine.js");
        const download = new Download();
        const engine = await createEngine({ model: arg.model, download });
        download.pause();
        const root = await navigator.storage.getDirectory();
        await root.removeEntry("webkiln", { recursive: true });
        new BroadcastChannel("test").postMessage("lose device");
        return engine.generate(arg.ids, 30);
        """,
        {"model": f"{MODEL}/", "ids": ids},
    )
    assert found == continuation(ids, 30)
    assert any("/weights/" in path for path in page.site.hits)


def test_a_device_lost_twice_is_left_for_webassembly(tall: EnginePage) -> None:
    length = 3000
    orders = [[5, LOSE], [400, LOSE]]
    result = tall.value(ANSWER, {"orders": orders, "request": ask(PROMPT, length)})
    assert result["text"] == expected(length)
    assert result["usage"]["completion_tokens"] == length
    changes = tall.page.evaluate("changes")
    assert [(c["variant"], c["backend"], c["threads"]) for c in changes] == [
        ("f32", "webgpu", 1),
        (THREADED, "wasm", 2),
    ]
    assert changes[1]["notes"] == [
        "The graphics device was lost; the answer went on after reloading.",
        f"The graphics device was lost; the answer went on with {THREADED} on WebAssembly.",
    ]
    lost, *others = changes[1]["report"]["rungs"]
    assert not lost["usable"]
    assert "graphics device was lost" in lost["reasons"][-1]
    assert all(rung["usable"] for rung in others)
    assert tall.page.evaluate("engine.info.variant") == THREADED
    # Plan and kernels of the new rung had to come; weights and tokenizer were there.
    fetched = [path for path in tall.site.hits if path.startswith(MODEL)]
    assert sorted(path.rsplit(".")[-1] for path in fetched) == ["json", "wasm"]
    ids = encode("again")
    assert tall.value("return engine.generate(arg, 5)", ids) == continuation(ids, 5)
    record("GPU device lost twice in one answer", "recovered")


def test_memory_that_runs_out_in_mid_answer(tall: EnginePage) -> None:
    orders = [[5, "fill memory"], [400, "fill memory"]]
    result = tall.value(ANSWER, {"orders": orders, "request": ask(PROMPT, 1500)})
    assert result["text"] == expected(1500)
    info = tall.page.evaluate("engine.info")
    assert info["variant"] == THREADED
    assert info["notes"][0] == "The device ran out of memory; the answer went on after reloading."
    # The next visit's verdict knows (see test_engine_assess.py).
    (full,) = tall.page.evaluate("JSON.parse(localStorage['webkiln.out-of-memory'])")
    assert (full["variant"], full["context"]) == ("f32", info["context"])
    record("GPU memory full twice in one answer", "recovered")


@pytest.mark.soak
def test_a_sampled_answer_with_penalties_is_the_same(tiny_bundle: Path, chromium: Browser) -> None:
    """On compiled kernels: the seed's numbers and the penalties' counts survive a loss."""
    settings = {"seed": 7, "presence_penalty": 1, "frequency_penalty": 0.5}
    request = {**ask("fire", 40, repetition_penalty=1.3, **settings), "temperature": 1}
    with engine_page(chromium, tiny_bundle, hooks=True) as page:
        page.loaded(variant="f32")
        calm = page.value(ANSWER, {"orders": [], "request": request})
        assert page.page.evaluate("changes") == []
        page.loaded(variant="f32")
        lost = page.value(ANSWER, {"orders": [[1, LOSE]], "request": request})
        assert len(page.page.evaluate("changes")) == 1
    assert lost["text"] == calm["text"]
    assert lost["usage"]["completion_tokens"] == calm["usage"]["completion_tokens"] > 20


def test_a_kernel_that_faults_again_and_again(chromium: Browser) -> None:
    """At one position, on both wasm rungs: the emulated adapter is what is left."""
    miniature = WasmMiniature(fault="__builtin_trap()", stop_tokens=[])
    with engine_page(chromium, miniature) as page:
        assert page.loaded(threads=2)["variant"] == THREADED
        result = page.value(ANSWER, {"orders": [], "request": ask(PROMPT, 60)})
        assert result["text"] == expected(60)
        variants = [change["variant"] for change in page.page.evaluate("changes")]
        assert variants == [THREADED, SINGLE, SINGLE, "f32"]
    record("kernel fault in mid-answer, WebAssembly", "recovered")


def test_a_kernel_fault_that_nothing_is_left_for(chromium: Browser) -> None:
    miniature = WasmMiniature(fault="__builtin_trap()", stop_tokens=[])
    with engine_page(chromium, miniature) as page:
        page.loaded(backend="wasm", threads=2)
        result = page.error(ANSWER, {"orders": [], "request": ask(PROMPT, 60)})
        assert result["code"] == "kernel-fault"
        assert f"{THREADED}: " in result["message"]
        assert "f32" not in result["message"]
