"""`make bench-page`: first paint, layout shift, and what an answer that arrives blocks.

A headless Chromium opens the page on a local server. An engine that says what it is told answers
with 4,000 tokens at a set speed, so that only the page's own work is measured; it runs on the
page's own thread, as messages from a worker arrive there. Nothing is asserted about time.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from playwright.sync_api import Browser, CDPSession
from rich.console import Console

from tests.browser.chat_page import ChatPage, visit
from tests.browser.offline_site import write_models
from tests.browser.scripted import say
from web.browser import browser
from web.verify import serving

OUTPUT = Path("docs/bench")
TOKENS = 4000
CHARACTERS = 4 * TOKENS  # scripted_engine.js cuts its answers into tokens of four
RATES = (100, 500)  # tokens per second
SLOWED = (1, 4)  # the second stands for a phone
# A slow 4G connection, as Lighthouse has it.
SLOW_4G = {"latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 750e3 / 8}

PROSE = "A kiln is a *thermally insulated* chamber that turns clay into `stoneware`. It is old.\n\n"
LINE = "    temperature = max(temperature, target[step])  # degrees, never falling\n"
ITEM = "- A list of many items, with **bold** words in some of them, and no end.\n"
ANSWERS = {
    "paragraphs": PROSE * (CHARACTERS // len(PROSE)),
    "one block of code": "```python\n" + LINE * (CHARACTERS // len(LINE)) + "```\n",
    "one list": ITEM * (CHARACTERS // len(ITEM)),
}

WATCH = """
window.shifts = [];
window.tasks = [];
const watch = (type, list) => new PerformanceObserver((found) => list.push(...found.getEntries()))
  .observe({ type, buffered: true });
watch("layout-shift", shifts);
watch("longtask", tasks);"""
# Milliseconds; a task blocks for what it takes beyond 50.
RESULT = """(since) => {
  const during = tasks.filter(({ startTime }) => startTime >= since);
  const moved = shifts.filter((each) => each.startTime >= since && !each.hadRecentInput);
  return {
    paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
    shift: moved.reduce((sum, { value }) => sum + value, 0),
    blocked: during.reduce((sum, { duration }) => sum + duration - 50, 0),
    longest: Math.max(0, ...during.map(({ duration }) => duration)),
    tasks: during.length,
    now: performance.now(),
  };
}"""


@dataclass(frozen=True)
class Figures:
    """What the browser saw; milliseconds, but for the layout shift."""

    paint: float
    shift: float
    blocked: float  # beyond 50 ms, over all tasks longer than that
    longest: float  # task longer than 50 ms; 0: there was none
    tasks: int  # longer than 50 ms
    now: float
    busy: float = 0.0  # seconds of processor time of the page's main thread


def main() -> None:
    options = _options()
    console = Console()
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(write_models(Path(folder))) as address,
        browser() as chromium,
    ):
        lines = [*_head(chromium), "", *_openings(chromium, address), ""]
        lines += _answers(chromium, address, console)
    text = "\n".join(lines) + "\n"
    console.print(text)
    if not options.print_only:
        file = OUTPUT / f"{date.today().isoformat()}-page.md"
        file.write_text(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--print-only", action="store_true", help="write no file")
    return parser.parse_args()


def _head(chromium: Browser) -> list[str]:
    load = os.getloadavg()[0]
    return [
        f"# The page, {date.today().isoformat()}",
        "",
        f"`make bench-page`: Chromium {chromium.version}, headless, {os.cpu_count()} cores, "
        f'{platform.machine()}; load average {load:.1f} at the start. "Slowed" is the '
        "processor, by the browser's own emulation; 4x stands for a phone.",
    ]


def _openings(chromium: Browser, address: str) -> Iterator[str]:
    yield "| first visit | language | first contentful paint, ms | layout shift |"
    yield "| --- | --- | ---: | ---: |"
    for name, network in (("this machine", None), ("slow 4G, slowed 4x", SLOW_4G)):
        for language in ("en", "fr"):
            with visit(chromium, address, locale=language) as chat:
                if network:
                    _slow(chat, 4)
                    session = chat.context.new_cdp_session(chat.page)
                    session.send("Network.enable")
                    session.send("Network.emulateNetworkConditions", {"offline": False, **network})
                found = _opened(chat)
            yield f"| {name} | {language} | {found.paint:.0f} | {found.shift:.3f} |"


def _opened(chat: ChatPage) -> Figures:
    """The page as it opens, until it has looked at the device."""
    say(chat, "")
    chat.context.add_init_script(WATCH)
    chat.climb()
    chat.page.locator("#load:enabled").wait_for()
    return Figures(**chat.page.evaluate(RESULT, 0))


def _answers(chromium: Browser, address: str, console: Console) -> Iterator[str]:
    yield f"{TOKENS:,} tokens that arrive as"
    yield ""
    yield (
        "| answer | tokens/s | slowed | took, s | main thread busy, s | blocked, ms "
        "| longest task, ms | long tasks | layout shift |"
    )
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name in ANSWERS:
        for rate in RATES:
            for factor in SLOWED:
                with visit(chromium, address) as chat:
                    found = _streamed(chat, name, rate, factor)
                row = (
                    f"| {name} | {rate} | {factor}x | {found.now / 1000:.1f} | {found.busy:.1f} "
                    f"| {found.blocked:.0f} | {found.longest:.0f} | {found.tasks} "
                    f"| {found.shift:.3f} |"
                )
                console.print(row)
                yield row


def _streamed(chat: ChatPage, name: str, rate: int, factor: int) -> Figures:
    """An answer from its question to its end; `now` is how long that took."""
    say(chat, ANSWERS[name], per_second=rate)
    chat.context.add_init_script(WATCH)
    chat.climb()
    chat.start()
    session = _slow(chat, factor)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = _busy(session)
    begin: float = chat.page.evaluate("performance.now()")
    chat.send("Go on")
    last = chat.get("message-assistant").last
    last.and_(chat.page.locator("[data-state=done]")).wait_for(timeout=300_000)
    found = chat.page.evaluate(RESULT, begin)
    busy = _busy(session) - before
    return Figures(**{**found, "now": found["now"] - begin, "busy": busy})


def _busy(session: CDPSession) -> float:
    metrics = session.send("Performance.getMetrics")["metrics"]
    found: float = next(each["value"] for each in metrics if each["name"] == "TaskDuration")
    return found


def _slow(chat: ChatPage, factor: int) -> CDPSession:
    session = chat.context.new_cdp_session(chat.page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": factor})
    return session


if __name__ == "__main__":
    main()
