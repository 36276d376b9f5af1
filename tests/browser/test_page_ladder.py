"""Every rung of the capability ladder as a person meets it: which one, and why not a better one."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.chat_page import ChatPage, edit_manifest, replace, visit
from tests.browser.conftest import ANSWER, NO_GPU

PROCESSOR = "processor (WebAssembly)"  # before loading: the number of threads is not known yet
CARD = "graphics card (WebGPU)"
REAL_CARD = """
Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", { get: () => false });"""
NO_ADAPTER = "GPU.prototype.requestAdapter = async () => null;"
NO_MEMORY = """
if (globalThis.GPUDevice) GPUDevice.prototype.createBuffer = () => {
  throw new RangeError("Array buffer allocation failed");
};"""
NO_MEMORY_AT_ALL = (
    NO_MEMORY
    + """
WebAssembly.Memory = class { constructor() { throw new RangeError("could not allocate memory"); } };
"""
)

REFUSE_CLIPBOARD = """() => {
  navigator.clipboard.writeText = () => Promise.reject(new Error("refused"));
}"""


def threads(count: int) -> str:
    return f"processor (WebAssembly, {count} thread{'' if count == 1 else 's'})"


def assert_talks(chat: ChatPage, before: int = 0) -> None:
    """Two questions are answered, and every message so far is there."""
    chat.configure(temperature=0, max_tokens=ANSWER)
    assert chat.ask("What is clay") != ""
    assert chat.ask("And a kiln") != ""
    assert [turn["role"] for turn in chat.turns][before:] == ["user", "assistant"] * 2
    expect(chat.get("answer")).to_have_count(2 + before // 2)


def assert_on_processor(chat: ChatPage, reason: str) -> None:
    """The graphics card is out for this reason, which the card and the panel tell."""
    chat.climb()
    chat.expect_card(PROCESSOR, "The graphics card is not used.", reason)
    chat.start()
    expect(chat.get("rung")).to_have_text("Processor · WebAssembly")
    chat.expect_running(threads(2), "The graphics card is not used.", reason)
    expect(chat.get("change")).to_be_hidden()  # all went as the start card had said
    assert_talks(chat)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (NO_GPU, "This browser does not offer WebGPU, or it is switched off."),
        (NO_ADAPTER, "WebGPU found no usable graphics adapter"),
    ],
    ids=["no-webgpu", "no-adapter"],
)
def test_without_webgpu(climber: ChatPage, script: str, reason: str) -> None:
    climber.inject(script)
    assert_on_processor(climber, reason)


def test_limits_too_small(climber: ChatPage) -> None:
    """Told in plain words; the names are in what was checked."""

    def demand(manifest: dict[str, Any]) -> None:
        for variant in manifest["variants"].values():
            if variant["backend"] == "webgpu":
                variant["requires"]["limits"]["maxBufferSize"] = 2**50

    climber.inject(REAL_CARD)
    edit_manifest(climber, demand)
    assert_on_processor(climber, "The graphics card is too small for this model.")
    climber.get("rung").click()
    panel = climber.get("device-dialog")
    expect(panel).not_to_contain_text("maxBufferSize", use_inner_text=True)
    panel.locator("summary").click()
    expect(panel).to_contain_text(f"maxBufferSize of {2**50}", use_inner_text=True)


def test_an_emulated_card_is_passed_over_unless_asked_for(climber: ChatPage) -> None:
    climber.climb()
    climber.expect_card(PROCESSOR, "emulated in software", "WebAssembly is faster")
    button = climber.get("device").get_by_test_id("try-again")
    expect(button).to_have_text("Use it all the same")
    button.click()
    expect(climber.get("input")).to_be_focused()
    climber.expect_running(CARD, "You asked for it here.", "it works, but slowly")


def test_one_thread_where_the_page_is_not_isolated(climber: ChatPage) -> None:
    """The site's owner is told what to do about it."""

    def bare(route: Route) -> None:
        response = route.fetch()
        kept = {k: v for k, v in response.headers.items() if not k.startswith("cross-origin")}
        route.fulfill(response=response, headers=kept)

    climber.page.route(lambda url: urlsplit(url).path == "/", bare)
    climber.climb()
    assert climber.page.evaluate("crossOriginIsolated") is False
    reasons = ("one thread only", "The site's owner", "Cross-Origin-Embedder-Policy: require-corp")
    climber.expect_card(PROCESSOR, *reasons)
    climber.start()
    climber.expect_running(threads(1), *reasons)
    assert_talks(climber)


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
    climber: ChatPage, query: dict[str, str], where: str, reason: str
) -> None:
    climber.climb(**query)
    expect(climber.get("why").first).to_contain_text(reason)
    climber.start()
    climber.expect_running(where, reason)


def test_what_is_forced_in_vain_has_a_way_out(climber: ChatPage) -> None:
    climber.inject(NO_GPU)
    climber.climb(backend="webgpu")
    climber.expect_refusal(
        "It cannot run on the graphics card (WebGPU) here",
        "This page's address asks for it (backend=webgpu).",
        "This browser does not offer WebGPU",
    )
    climber.get("choose-automatically").click()
    expect(climber.get("load")).to_be_focused()
    climber.expect_card(PROCESSOR, "This browser does not offer WebGPU")
    climber.start()
    climber.expect_running(threads(2))


def run_on(chat: ChatPage, choice: str) -> None:
    """Sets "Run on" and leaves the settings open."""
    chat.get("settings").click()
    chat.get("run-on").select_option(choice)


def test_the_setting_moves_a_loaded_model(climber: ChatPage) -> None:
    climber.climb()
    climber.start()
    assert_talks(climber)
    talk = climber.turns
    run_on(climber, "Graphics card (WebGPU)")
    expect(climber.get("run-on-help")).to_contain_text(f"still runs on the {threads(2)}")
    climber.get("run-on-reload").click()
    expect(climber.get("input")).to_be_focused()
    climber.expect_running(CARD, "Your setting “Run on” asks for it.")
    expect(climber.get("change")).to_be_hidden()
    assert climber.turns == talk
    assert climber.ask("And glaze") != ""
    assert climber.turns[:4] == talk

    climber.page.reload()  # it is kept
    expect(climber.get("input")).to_be_visible()
    climber.expect_running(CARD, "Your setting “Run on” asks for it.")
    climber.get("settings").click()
    expect(climber.get("run-on")).to_have_value("webgpu")
    expect(climber.get("run-on-reload")).to_be_hidden()
    climber.get("run-on").select_option("Processor (WebAssembly)")
    expect(climber.get("run-on-reload")).to_be_visible()
    climber.get("settings-reset").click()
    expect(climber.get("run-on")).to_have_value("auto")


def test_moving_in_mid_answer_keeps_what_there_is(chromium: Browser, slow_site: str) -> None:
    with visit(chromium, slow_site) as chat:
        chat.inject(REAL_CARD)
        chat.climb(context="4096")
        run_on(chat, "Processor (WebAssembly)")
        chat.get("settings-close").click()
        chat.start()
        chat.configure(temperature=0)
        run_on(chat, "Graphics card (WebGPU)")
        chat.get("settings-close").click()
        chat.send("What is clay")
        chat.started()
        chat.get("settings").click()
        chat.get("run-on-reload").click()
        expect(chat.get("input")).to_be_focused()
        chat.expect_running(CARD)
        part = chat.answered()
        assert part != ""
        expect(chat.get("finish-note")).to_have_text("You stopped this answer.")
        expect(chat.page.locator("#notice")).to_be_hidden()
        chat.configure(temperature=0, max_tokens=ANSWER)
        # The same words on another rung; where lines end is Markdown's to say.
        assert "".join(part.split()).startswith("".join(chat.regenerate().split()))
        chat.assert_clean()


def test_the_address_goes_before_the_setting(climber: ChatPage) -> None:
    climber.climb(variant="f32")
    climber.expect_card(CARD, "(variant=f32).")
    run_on(climber, "Processor (WebAssembly)")
    told = "This page's address asks for variant=f32, which goes before this setting."
    expect(climber.get("run-on-help")).to_have_text(told)
    climber.get("settings-close").click()
    climber.expect_card(CARD, "(variant=f32), which goes before your setting “Run on”.")
    climber.climb()
    climber.expect_card(PROCESSOR, "Your setting “Run on” asks for it.")


def test_a_card_that_calculates_wrongly_is_left(climber: ChatPage) -> None:
    """The self-test tells, after the start card had promised the graphics card."""

    def lie(manifest: dict[str, Any]) -> None:
        for variant in manifest["variants"].values():
            if variant["backend"] == "webgpu":
                variant["selftest"][0]["expected"][0] += 1

    climber.inject(REAL_CARD)
    edit_manifest(climber, lie)
    climber.climb()
    climber.expect_card(CARD)
    climber.start()
    told = "wrong answers in a test with known results"
    climber.expect_change(f"The model runs on the {threads(2)}", told)
    climber.get("change-details").click()
    expect(climber.get("device-dialog")).to_contain_text("The graphics card is not used.")
    expect(climber.get("device-dialog")).to_contain_text("in the self-test, kernel")
    climber.get("device-close").click()
    climber.get("change-close").click()
    expect(climber.get("change")).to_be_hidden()
    assert_talks(climber)


def test_a_card_without_memory_is_left(climber: ChatPage) -> None:
    climber.inject(REAL_CARD + NO_MEMORY)
    climber.climb()
    climber.expect_card(CARD)
    climber.start()
    climber.expect_change(f"The model runs on the {threads(2)}", "The device ran out of memory")
    climber.expect_running(
        threads(2), "The graphics card is not used.", "The device ran out of memory"
    )
    assert_talks(climber)


def test_no_memory_anywhere(climber: ChatPage) -> None:
    """The page says what was tried, keeps the conversation, and goes on when there is room."""
    climber.climb()
    climber.start()
    assert_talks(climber)
    talk = climber.turns
    climber.context.route("**/worker.js", replace(lambda body: NO_MEMORY_AT_ALL.encode() + body))
    climber.page.reload()
    climber.expect_notice(
        "out-of-memory", "The device ran out of memory", "wasm-threads: ", "f32: "
    )
    expect(climber.get("load-wasm")).to_have_count(0)  # it has been tried
    assert climber.turns == talk
    climber.context.unroute("**/worker.js")
    climber.get("retry").click()
    expect(climber.get("input")).to_be_focused()
    expect(climber.get("answer")).to_have_count(2)
    assert climber.turns == talk


def test_the_report_is_copied_or_shown(climber: ChatPage) -> None:
    climber.context.grant_permissions(["clipboard-read", "clipboard-write"])
    climber.climb(backend="wasm", threads="1")
    climber.get("checked").locator("summary").click()
    expect(climber.get("copy-status")).to_have_text("Nothing of it is sent anywhere.")
    climber.get("copy-report").click()
    expect(climber.get("copy-status")).to_contain_text("Copied to your clipboard")
    copied = json.loads(climber.page.evaluate("navigator.clipboard.readText()"))
    assert copied["asked"] == {"backend": "wasm", "threads": 1, "source": "address"}
    assert copied["engine"] is None
    assert copied["report"]["chosen"] in {rung["variant"] for rung in copied["report"]["rungs"]}
    assert "HeadlessChrome" in copied["page"]["userAgent"]

    climber.start()
    climber.settle()
    climber.requests.clear()
    climber.page.evaluate(REFUSE_CLIPBOARD)
    climber.get("rung").click()
    panel = climber.get("device-dialog")
    panel.locator("summary").click()
    panel.get_by_test_id("copy-report").click()
    shown = climber.get("report-text")
    expect(shown).to_be_focused()
    text = shown.input_value()
    assert climber.page.evaluate("getSelection().toString()") == text
    engine = json.loads(text)["engine"]
    assert (engine["backend"], engine["threads"]) == ("wasm", 1)
    climber.page.keyboard.press("Escape")
    expect(climber.get("report-dialog")).to_be_hidden()
    expect(panel).to_be_visible()
    assert climber.requests == []
