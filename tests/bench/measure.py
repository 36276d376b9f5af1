"""One measurement: a fresh page (or process), a warming run, then the run that counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from tests.bench.contenders import Contender
from tests.bench.native import Answer, Request
from tests.bench.prompts import Prompt
from tests.bench.report import Run

CONTEXT = 512
WARM_DECODE = 8  # at most
SETTLE = 1.0  # seconds in which what was closed before ends

LOAD = """async ([script, options]) => {
  globalThis.measure = await import("/bench/measure.js");
  return measure.load(script, options);
}"""
RUN = "([prompt, count]) => measure.run(prompt, count)"


class Bench:
    """Measures contenders with the same prompts, in one browser."""

    def __init__(self, browser: Browser, address: str, prompts: tuple[Prompt, Prompt]) -> None:
        self._browser = browser
        self._context: BrowserContext = browser.new_context()
        self._address = address
        self._measured, self._warming = prompts

    def fill_caches(self, entered: Iterable[Contender], asked: Iterable[int]) -> dict[str, Any]:
        """Loads each once, so that later loads find their files; what the page says of itself."""
        said: dict[str, Any] = {}
        for contender in entered:
            counts = contender.counts(asked)
            if contender.script is not None and counts:
                page = self._page(contender)
                loaded = self._load(page, contender, counts[0])
                said = {key: loaded[key] for key in ("hardwareConcurrency", "crossOriginIsolated")}
                page.close()
        return said

    def measure(self, contender: Contender, threads: int, decode: int) -> Run:
        time.sleep(SETTLE)
        load_average, busy = os.getloadavg()[0], busy_cores()
        inside = contender.script is not None
        answer = (self._in_page if inside else self._outside)(contender, threads, decode)
        return Run(
            engine=contender.name,
            threads=threads,
            load_s=answer["load"],
            first_token_s=answer["first"],
            prefill_tokens_per_s=len(self._measured.ids) / answer["first"],
            decode_tokens_per_s=decode / answer["rest"],
            cores=answer["cores"],
            load_average=load_average,
            busy=busy,
            info=answer["info"],
        )

    def _in_page(self, contender: Contender, threads: int, decode: int) -> Answer:
        page = self._page(contender)
        try:
            loaded = self._load(page, contender, threads)
            page.evaluate(RUN, [self._warming.data(), min(WARM_DECODE, decode)])
            before = self._processor_seconds()
            times = page.evaluate(RUN, [self._measured.data(), decode])
            used = self._processor_seconds() - before
        finally:
            page.close()
        return {
            "load": loaded["seconds"],
            "first": times["first"],
            "rest": times["rest"],
            "cores": used / (times["first"] + times["rest"]),
            "info": loaded["info"],
        }

    def _page(self, contender: Contender) -> Page:
        page = self._context.new_page()
        page.set_default_timeout(0)
        runtime = contender.options.get("backend", "wasm")
        page.goto(f"{self._address}/bench/page.html?runtime={runtime}")
        return page

    def _load(self, page: Page, contender: Contender, threads: int) -> dict[str, Any]:
        """RuntimeError when the engine does not run as it was told to."""
        options = {"model": contender.model, "context": CONTEXT, "threads": threads}
        options.update(contender.options)
        loaded: dict[str, Any] = page.evaluate(LOAD, [contender.script, options])
        if not loaded["crossOriginIsolated"] or loaded["info"]["threads"] != threads:
            raise RuntimeError(f"{contender.label} was to run on {threads} threads: {loaded}")
        return loaded

    def _processor_seconds(self) -> float:
        """What all processes of the browser have used so far."""
        session = self._browser.new_browser_cdp_session()
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
        session.detach()
        return float(sum(process["cpuTime"] for process in processes))

    def _outside(self, contender: Contender, threads: int, decode: int) -> Answer:
        request: Request = {
            "model": contender.model,
            "threads": threads,
            "context": CONTEXT,
            "warming": self._warming.ids,
            "measured": self._measured.ids,
            "warm_decode": WARM_DECODE,
            "decode": decode,
        }
        command = [sys.executable, "-m", "tests.bench.native"]
        text = json.dumps(request)
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{contender.label} failed:\n{done.stderr[-2000:]}")
        answer: Answer = json.loads(done.stdout.splitlines()[-1])
        return answer


def busy_cores(seconds: float = 0.5) -> float | None:
    """Cores that work on anything at all, over the next `seconds`; None without /proc/stat."""
    if not Path("/proc/stat").exists():
        return None
    idle, start = _idle_seconds(), time.monotonic()
    time.sleep(seconds)
    rate = (_idle_seconds() - idle) / (time.monotonic() - start)
    return max(0.0, (os.cpu_count() or 1) - rate)


def _idle_seconds() -> float:
    """Idle time of all cores together, waiting for disks included."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")
