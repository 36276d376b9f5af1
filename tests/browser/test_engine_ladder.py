"""Which rung is stood on, and why not a higher one: self-tests that fail, crashes, wishes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Browser, Error

from tests.browser.engine_page import LOAD, EnginePage, engine_page
from tests.browser.miniature import KERNELS, MODEL, SAMPLE, SUM, Miniature, continuation, encode

IDS = encode("hello")
# Adds one too many, as a driver with a bug might.
LYING = {**KERNELS, "sum": SUM.replace("var total =", "var total = 1 +")}
BROKEN = {**KERNELS, "sample": SAMPLE.replace("var best = 0;", "var best = nothing;")}
CRASH = "the last attempt to load on it ended in a crash"
# The device is never opened: a load that stands still, to be ended from outside.
HANG = b"GPUAdapter.prototype.requestDevice = () => new Promise(() => {});"


@pytest.fixture
def two(chromium: Browser) -> Iterator[EnginePage]:
    """A model with two variants that both work."""
    miniature = Miniature(ahead={"best": dict(KERNELS)}, stop_tokens=[])
    with engine_page(chromium, miniature, hooks=True) as page:
        yield page


def assert_answers(page: EnginePage) -> None:
    assert page.value("return engine.generate(arg, 8)", IDS) == continuation(IDS, 8)


def rungs(info: dict[str, Any]) -> dict[str, tuple[bool, list[str]]]:
    """Of each rung: whether it is usable, and the reasons that do not concern emulation."""
    return {
        rung["variant"]: (rung["usable"], [r for r in rung["reasons"] if "emulated" not in r])
        for rung in info["report"]["rungs"]
    }


def test_a_kernel_that_computes_wrongly_costs_its_rung(chromium: Browser) -> None:
    with engine_page(chromium, Miniature(ahead={"best": LYING})) as page:
        info = page.loaded()
        assert (info["variant"], info["report"]["chosen"]) == ("f32", "f32")
        usable, (reason,) = rungs(info)["best"]
        assert not usable
        # 7 + 8 + 9 + 5: word 29 is 1, and one further is wrong.
        assert "kernel sum gave 0 where 1 is right (number 29)" in reason
        assert rungs(info)["f32"] == (True, [])
        assert_answers(page)


def test_the_self_test_comes_before_the_weights(chromium: Browser) -> None:
    with engine_page(chromium, Miniature(kernels=LYING)) as page:
        assert page.refused()["code"] == "wrong-answer"
        assert not [path for path in page.site.hits if "/weights/" in path]


def test_a_forced_variant_that_fails_is_not_replaced(chromium: Browser) -> None:
    with engine_page(chromium, Miniature(ahead={"best": LYING})) as page:
        error = page.refused(variant="best")
        assert error["code"] == "wrong-answer"
        assert "kernel sum" in error["message"]
        assert page.loaded(variant="f32")["variant"] == "f32"


def test_a_kernel_that_does_not_compile_costs_its_rung(chromium: Browser) -> None:
    with engine_page(chromium, Miniature(ahead={"best": BROKEN})) as page:
        info = page.loaded()
        usable, (reason,) = rungs(info)["best"]
        assert not usable
        assert "WebGPU refused kernel sample" in reason
        assert info["variant"] == "f32"
        assert_answers(page)
        last = page.page.evaluate("progress.at(-1)")
        assert last["phase"] == "ready"
        assert last["loaded"] == last["total"]
        assert last["pipelines"] == last["pipelinesTotal"] == 3


def test_when_every_rung_fails_one_error_says_why(chromium: Browser) -> None:
    with engine_page(chromium, Miniature(kernels=LYING, ahead={"best": BROKEN})) as page:
        error = page.refused()
    assert error["code"] == "wrong-answer"
    assert "best: " in error["message"]
    assert "kernel sample" in error["message"]
    assert "f32: " in error["message"]
    assert "kernel sum" in error["message"]


def test_what_is_no_rungs_fault_is_not_blamed_on_it(two: EnginePage) -> None:
    two.site.flips[f"{MODEL}/weights/a.bin"] = 99
    assert two.refused()["code"] == "integrity"
    two.site.flips.clear()
    info = two.loaded()
    assert info["variant"] == "best"
    assert rungs(info)["best"] == (True, [])


def begin_load(page: EnginePage, **options: Any) -> None:
    """Starts a load that hangs while the device is opened; returns once it does."""
    page.site.files["/worker.js"] = HANG + page.site.files["/worker.js"]
    page.open()
    arguments = {"model": f"{MODEL}/", **options}
    page.page.evaluate(f"(arg) => {{ (async () => {{ {LOAD} }})().catch(() => {{}}); }}", arguments)
    page.page.wait_for_function("localStorage.getItem('webkiln.crashes')?.includes('variant')")
    page.site.files["/worker.js"] = page.site.files["/worker.js"].removeprefix(HANG)


def crash(page: EnginePage) -> None:
    """Ends the tab as a fault in it would, and goes on in a new one."""
    context = page.page.context
    with page.page.expect_event("crash"), suppress(Error):
        page.page.goto("chrome://crash")
    page.page = context.new_page()


def test_after_a_crash_the_next_visit_starts_one_rung_lower(two: EnginePage) -> None:
    begin_load(two)
    crash(two)
    two.open()
    found = two.report()
    assert found["chosen"] == "f32"
    assert [(rung["usable"], rung.get("crashed")) for rung in found["rungs"]] == [
        (False, True),
        (True, None),
    ]
    info = two.loaded()
    assert info["variant"] == "f32"
    assert rungs(info) == {"best": (False, [CRASH]), "f32": (True, [])}
    assert_answers(two)
    # It is remembered until somebody insists and it works.
    assert two.loaded()["variant"] == "f32"
    assert two.loaded(variant="best")["variant"] == "best"
    assert two.loaded()["variant"] == "best"


def test_two_tabs_that_load_at_once_are_no_crash(two: EnginePage) -> None:
    begin_load(two)
    first = two.page
    two.page = first.context.new_page()
    assert two.loaded()["variant"] == "best"
    first.close()


@pytest.mark.parametrize("leave", ["close", "elsewhere", "reload"])
def test_a_visitor_who_leaves_while_it_loads_did_not_crash(two: EnginePage, leave: str) -> None:
    begin_load(two)
    if leave == "close":
        context = two.page.context
        two.page.close()
        two.page = context.new_page()
    elif leave == "elsewhere":
        two.page.goto("about:blank")
    info = two.loaded()
    assert info["variant"] == "best"
    assert rungs(info)["best"] == (True, [])


def test_a_load_that_is_aborted_did_not_crash(two: EnginePage) -> None:
    two.site.files["/worker.js"] = HANG + two.site.files["/worker.js"]
    two.open()
    error = two.error(
        """
        const { createEngine } = await import("/engine.js");
        const controller = new AbortController();
        const mark = () => localStorage.getItem("webkiln.crashes") ?? "";
        const timer = setInterval(() => mark().includes("variant") && controller.abort(), 20);
        return createEngine({ model: arg, signal: controller.signal })
          .finally(() => clearInterval(timer));
        """,
        f"{MODEL}/",
    )
    assert error["code"] == "aborted"
    assert two.page.evaluate("localStorage.getItem('webkiln.crashes')") == "[]"


def test_a_worker_that_dies_of_an_answer_costs_its_rung_the_next_visit(two: EnginePage) -> None:
    two.loaded(context=4096)
    error = two.error(
        """
        const answer = engine.generate(arg, 4000);
        new BroadcastChannel("test").postMessage("end worker");
        return answer;
        """,
        IDS,
    )
    assert error["code"] == "worker-lost"
    info = two.loaded()
    assert info["variant"] == "f32"
    assert rungs(info)["best"] == (False, [CRASH])


def test_a_device_lost_while_it_loads_costs_its_rung(two: EnginePage) -> None:
    lose = b"""{
      const open = GPUAdapter.prototype.requestDevice;
      let opened = 0;
      GPUAdapter.prototype.requestDevice = async function (...args) {
        const device = await open.apply(this, args);
        if (opened++ === 0) device.destroy();
        return device;
      };
    }"""
    two.site.files["/worker.js"] = lose + two.site.files["/worker.js"]
    info = two.loaded()
    assert info["variant"] == "f32"
    usable, (reason,) = rungs(info)["best"]
    assert not usable
    assert "graphics device was lost" in reason
    assert_answers(two)
    # The browser outlived its graphics process, but the next visit should not try it again.
    two.open()
    assert rungs({"report": two.report()})["best"] == (False, [CRASH])
