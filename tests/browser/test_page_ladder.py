"""Every rung of the capability ladder as a person meets it: which one, and why not a better one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.browser.chat_page import ChatPage, edit_manifest
from tests.browser.conftest import ANSWER

PROCESSOR = "processor (WebAssembly)"  # before loading: the number of threads is not known yet
CARD = "graphics card (WebGPU)"
REAL_CARD = """
Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", { get: () => false });"""
NO_GPU = 'Object.defineProperty(navigator, "gpu", { value: undefined });'
NO_ADAPTER = "GPU.prototype.requestAdapter = async () => null;"
SMALL = """
Object.defineProperty(GPUSupportedLimits.prototype, "maxBufferSize", { get: () => 1024 });
Object.defineProperty(GPUSupportedLimits.prototype, "maxComputeInvocationsPerWorkgroup", {
  get: () => 16,
});"""
NO_MEMORY = """
GPUDevice.prototype.createBuffer = function () { throw new RangeError("allocation failed"); };"""


def threads(count: int) -> str:
    return f"processor (WebAssembly, {count} thread{'' if count == 1 else 's'})"


def assert_talks(chat: ChatPage, before: int = 0) -> None:
    """Two questions are answered, and every message so far is there."""
    chat.configure(temperature=0, max_tokens=ANSWER)
    assert chat.ask("What is clay?") != ""
    assert chat.ask("And a kiln?") != ""
    assert [turn["role"] for turn in chat.turns][before:] == ["user", "assistant"] * 2
    expect(chat.get("answer")).to_have_count(2 + before // 2)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (NO_GPU, "This browser does not offer WebGPU, or it is switched off."),
        (NO_ADAPTER, "WebGPU found no usable graphics adapter"),
        (REAL_CARD + SMALL, "The graphics card is too small for this model."),
    ],
    ids=["no-webgpu", "no-adapter", "too-small"],
)
def test_steps_down_to_the_processor(visitor: ChatPage, script: str, reason: str) -> None:
    visitor.inject(script)
    visitor.climb()
    visitor.expect_card(PROCESSOR, "The graphics card is not used.", reason)
    visitor.start()
    expect(visitor.get("rung")).to_have_text("Processor · WebAssembly")
    visitor.expect_running(threads(2), "The graphics card is not used.", reason)
    expect(visitor.get("change")).to_be_hidden()  # all went as the start card had said
    assert_talks(visitor)


def test_names_stay_in_what_was_checked(visitor: ChatPage) -> None:
    visitor.inject(REAL_CARD + SMALL)
    visitor.climb()
    checked = visitor.get("checked")
    expect(checked).not_to_contain_text("maxBufferSize", use_inner_text=True)
    checked.locator("summary").click()
    expect(checked).to_contain_text("maxBufferSize", use_inner_text=True)
    expect(checked).to_contain_text("this device offers 1024")


def test_an_emulated_card_is_passed_over_unless_asked_for(visitor: ChatPage) -> None:
    visitor.climb()
    visitor.expect_card(PROCESSOR, "emulated in software", "WebAssembly is faster")
    button = visitor.get("device").get_by_test_id("try-again")
    expect(button).to_have_text("Use it all the same")
    button.click()
    expect(visitor.get("input")).to_be_focused()
    visitor.expect_running(CARD, "You asked for it here.", "it works, but slowly")


def test_one_thread_where_the_page_is_not_isolated(visitor: ChatPage) -> None:
    """The site's owner is told what to do about it."""

    def bare(route: Route) -> None:
        response = route.fetch()
        kept = {k: v for k, v in response.headers.items() if not k.startswith("cross-origin")}
        route.fulfill(response=response, headers=kept)

    visitor.page.route(f"{visitor.address}/", bare)
    visitor.climb()
    assert visitor.page.evaluate("crossOriginIsolated") is False
    reasons = ("one thread only", "The site's owner", "Cross-Origin-Embedder-Policy: require-corp")
    visitor.expect_card(PROCESSOR, *reasons)
    visitor.start()
    visitor.expect_running(threads(1), *reasons)
    assert_talks(visitor)


@pytest.mark.parametrize(
    ("query", "where", "reason"),
    [
        ({"backend": "wasm"}, threads(2), "This page's address asks for it (backend=wasm)."),
        ({"backend": "wasm", "threads": "1"}, threads(1), "(backend=wasm)"),
        ({"backend": "webgpu"}, CARD, "This page's address asks for it (backend=webgpu)."),
        ({"variant": "f32"}, CARD, "This page's address asks for it (variant=f32)."),
    ],
)
def test_the_address_forces_a_rung(
    visitor: ChatPage, query: dict[str, str], where: str, reason: str
) -> None:
    visitor.climb(**query)
    expect(visitor.get("why").first).to_contain_text(reason)
    visitor.start()
    visitor.expect_running(where, reason)


def test_what_is_forced_in_vain_has_a_way_out(visitor: ChatPage) -> None:
    visitor.inject(NO_GPU)
    visitor.climb(backend="webgpu")
    visitor.expect_refusal(
        "It cannot run on the graphics card (WebGPU) here",
        "This page's address asks for it (backend=webgpu).",
        "This browser does not offer WebGPU",
    )
    visitor.get("choose-automatically").click()
    expect(visitor.get("load")).to_be_focused()
    visitor.expect_card(PROCESSOR, "This browser does not offer WebGPU")
    visitor.start()
    visitor.expect_running(threads(2))


def run_on(chat: ChatPage, choice: str) -> None:
    """Sets "Run on" and leaves the settings open."""
    chat.get("settings").click()
    chat.get("run-on").select_option(choice)


def test_the_setting_moves_a_loaded_model(visitor: ChatPage) -> None:
    visitor.climb()
    visitor.start()
    assert_talks(visitor)
    talk = visitor.turns
    run_on(visitor, "Graphics card (WebGPU)")
    expect(visitor.get("run-on-help")).to_contain_text(f"still runs on the {threads(2)}")
    visitor.get("run-on-reload").click()
    expect(visitor.get("input")).to_be_focused()
    visitor.expect_running(CARD, "Your setting “Run on” asks for it.")
    expect(visitor.get("change")).to_be_hidden()
    assert visitor.turns == talk
    assert visitor.ask("And glaze?") != ""
    assert visitor.turns[:4] == talk

    visitor.page.reload()  # it is kept
    expect(visitor.get("input")).to_be_visible()
    visitor.expect_running(CARD, "Your setting “Run on” asks for it.")
    visitor.get("settings").click()
    expect(visitor.get("run-on")).to_have_value("webgpu")
    expect(visitor.get("run-on-reload")).to_be_hidden()
    visitor.get("run-on").select_option("Processor (WebAssembly)")
    expect(visitor.get("run-on-reload")).to_be_visible()
    visitor.get("settings-reset").click()
    expect(visitor.get("run-on")).to_have_value("auto")


def test_the_address_goes_before_the_setting(visitor: ChatPage) -> None:
    visitor.climb(variant="f32")
    visitor.expect_card(CARD, "(variant=f32).")
    run_on(visitor, "Processor (WebAssembly)")
    told = "This page's address asks for variant=f32, which goes before this setting."
    expect(visitor.get("run-on-help")).to_have_text(told)
    visitor.get("settings-close").click()
    visitor.expect_card(CARD, "(variant=f32), which goes before your setting “Run on”.")
    visitor.climb()
    visitor.expect_card(PROCESSOR, "Your setting “Run on” asks for it.")


def test_a_card_that_calculates_wrongly_is_left(visitor: ChatPage) -> None:
    """The self-test tells, after the start card had promised the graphics card."""

    def lie(manifest: dict[str, Any]) -> None:
        for variant in manifest["variants"].values():
            if variant["backend"] == "webgpu":
                variant["selftest"][0]["expected"][0] += 1

    visitor.inject(REAL_CARD)
    edit_manifest(visitor, lie)
    visitor.climb()
    visitor.expect_card(CARD)
    visitor.start()
    told = "wrong answers in a test with known results"
    visitor.expect_change(f"The model runs on the {threads(2)}", told)
    visitor.get("change-details").click()
    expect(visitor.get("device-dialog")).to_contain_text("The graphics card is not used.")
    expect(visitor.get("device-dialog")).to_contain_text("in the self-test, kernel")
    visitor.get("device-close").click()
    visitor.get("change-close").click()
    expect(visitor.get("change")).to_be_hidden()
    assert_talks(visitor)


def test_a_card_without_memory_is_left(visitor: ChatPage) -> None:
    visitor.inject(REAL_CARD + NO_MEMORY)
    visitor.climb()
    visitor.expect_card(CARD)
    visitor.start()
    visitor.expect_change(f"The model runs on the {threads(2)}", "allocation")
    visitor.expect_running(threads(2), "The graphics card is not used.", "allocation")
    assert_talks(visitor)


def test_the_report_is_copied_or_shown(visitor: ChatPage) -> None:
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.climb(backend="wasm", threads="1")
    visitor.get("checked").locator("summary").click()
    expect(visitor.get("copy-status")).to_have_text("Nothing of it is sent anywhere.")
    visitor.get("copy-report").click()
    expect(visitor.get("copy-status")).to_contain_text("Copied to your clipboard")
    copied = json.loads(visitor.page.evaluate("navigator.clipboard.readText()"))
    assert copied["asked"] == {"backend": "wasm", "threads": 1, "source": "address"}
    assert copied["engine"] is None
    assert copied["report"]["chosen"] in {rung["variant"] for rung in copied["report"]["rungs"]}
    assert "HeadlessChrome" in copied["page"]["userAgent"]

    visitor.start()
    visitor.requests.clear()
    refuse = "navigator.clipboard.writeText = () => Promise.reject(new Error('refused'))"
    visitor.page.evaluate(refuse)
    visitor.get("rung").click()
    panel = visitor.get("device-dialog")
    panel.locator("summary").click()
    panel.get_by_test_id("copy-report").click()
    shown = visitor.get("report-text")
    expect(shown).to_be_focused()
    text = shown.input_value()
    assert visitor.page.evaluate("getSelection().toString()") == text
    engine = json.loads(text)["engine"]
    assert (engine["backend"], engine["threads"]) == ("wasm", 1)
    visitor.page.keyboard.press("Escape")
    expect(visitor.get("report-dialog")).to_be_hidden()
    expect(panel).to_be_visible()
    assert visitor.requests == []
