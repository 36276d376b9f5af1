"""The chat page as a person meets it, and what its browser saw meanwhile."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Route,
    Worker,
    expect,
)

# Two cores that render, compile shaders and run a model at once: slow is not wrong.
PATIENCE = 60_000  # ms
LAST = 330_000  # ms: for what Chromium may take five minutes to do
expect.set_options(timeout=PATIENCE)

# Every text an answer shows on its way, in `window.seen`.
WATCH_ANSWERS = """() => {
  window.seen = [];
  new MutationObserver(() => {
    const text = [...document.querySelectorAll(".answer-body")].at(-1)?.textContent ?? "";
    if (text !== window.seen.at(-1)) window.seen.push(text);
  }).observe(document.getElementById("log"), { childList: true, subtree: true });
}"""
# The page's settings: what is before them, they themselves, what comes after.
SITE_BLOCK = re.compile(r'(.* id="site">)(.*?)(</script>.*)', re.DOTALL)
# Without a version, opening takes the database as it is; one that is not there is not to be made.
STORED_TURNS = """async () => {
  const id = /^#chat=(.+)$/.exec(location.hash)?.[1];
  const there = (await indexedDB.databases()).some(({ name }) => name === "webkiln");
  if (!id || !there) return [];
  const answer = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const database = await answer(indexedDB.open("webkiln"));
  const range = IDBKeyRange.bound([id], [id, []]);
  const found = await answer(database.transaction("turns").objectStore("turns").getAll(range));
  database.close();
  return found.map(({ conversation, index, ...turn }) => turn);
}"""
REPORT_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));"""


def until(page: Page, check: str) -> None:
    """Waits for something that takes an `await` to know."""
    loop = f"""async (last) => {{
      const start = Date.now();
      while (!({check})) {{
        if (Date.now() - start > last) return false;
        await new Promise((go) => setTimeout(go, 50));
      }}
      return true;
    }}"""
    assert page.evaluate(loop, LAST), f"never: {check}"


class ChatPage:
    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context = context
        self.address = address
        self.requests: list[str] = []  # by the page and its worker
        self.problems: list[str] = []  # console errors, uncaught exceptions, policy violations
        context.on("request", lambda request: self.requests.append(request.url))
        context.add_init_script(REPORT_VIOLATIONS)
        self.page = self.new_tab()

    def new_tab(self) -> Page:
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        return page

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(message.text)

    def get(self, testid: str) -> Locator:
        return self.page.get_by_test_id(testid)

    @property
    def worker(self) -> Worker:
        """The engine's, which holds the model."""
        [worker] = [each for each in self.page.workers if each.url.endswith("/worker.js")]
        return worker

    def inject(self, script: str) -> None:
        """Runs a script before those of the page and of its worker."""
        self.context.add_init_script(script)
        self.context.route("**/worker.js", replace(lambda body: f"{script}\n".encode() + body))

    def open(self, **query: str) -> None:
        """On WebGPU. SwiftShader is an emulated adapter, so this has to be asked for."""
        self.climb(**{"variant": "f32", **query})

    def climb(self, **query: str) -> None:
        """Opens the page, and leaves it the choice of how to run: on two threads, if any."""
        self.page.goto(f"{self.address}/?{urlencode({'threads': '2', **query})}")

    def start(self) -> None:
        """Loads the model of the page that is open."""
        self.get("load").click()
        expect(self.get("input")).to_be_visible()

    def settle(self) -> None:
        """Waits for the last request that a page with a model makes unasked: is it the newest?"""
        asked = "performance.getEntriesByName(new URL('app.json', document.baseURI)).length > 0"
        until(self.page, asked)

    def load(self, **query: str) -> None:
        """Opens the page and loads the model, on WebGPU."""
        self.open(**query)
        self.start()

    def configure(self, **numbers: float) -> None:
        """Chooses these settings, and the defaults for all others."""
        self.get("settings").click()
        self.get("settings-reset").click()
        for name, value in numbers.items():
            self.get(f"setting-{name}").fill(str(value))
        self.get("settings-close").click()

    def send(self, text: str) -> None:
        self.get("input").fill(text)
        self.get("send").click()

    def ask(self, text: str) -> str:
        """Sends a question; the whole answer."""
        self.send(text)
        return self.answered()

    def answered(self) -> str:
        """Waits for the last answer's end; its text."""
        last = self.get("message-assistant").last
        expect(last).to_have_attribute("data-state", "done")
        return last.get_by_test_id("answer").inner_text()

    def regenerate(self) -> str:
        """The answer that replaces the last one."""
        last = self.get("message-assistant").last
        last.evaluate("(node) => (node.dataset.old = '')")
        last.get_by_test_id("regenerate").click()
        expect(self.page.locator("[data-old]")).to_have_count(0)
        return self.answered()

    def started(self) -> None:
        """Waits until an answer has its first words."""
        answer = self.get("message-assistant").last.get_by_test_id("answer")
        expect(answer).to_have_text(re.compile(r"\w"))

    def expect_notice(self, code: str, *texts: str) -> None:
        notice = self.page.locator("#notice")
        expect(notice).to_be_visible()
        expect(notice).to_have_attribute("data-code", code)
        for text in texts:
            expect(notice).to_contain_text(text)

    def expect_card(self, where: str, *reasons: str) -> None:
        """The start card says where the model will run, and why there."""
        card = self.get("device")
        expect(card.get_by_test_id("verdict")).to_have_text(f"Runs on the {where}")
        for reason in reasons:
            expect(card.get_by_test_id("why")).to_contain_text(reason)

    def expect_running(self, where: str, *reasons: str) -> None:
        """The device panel says where the model runs, and why there."""
        self.get("rung").click()
        panel = self.get("device-dialog")
        expect(panel.get_by_test_id("verdict")).to_have_text(f"Runs on the {where}")
        for reason in reasons:
            expect(panel.get_by_test_id("why")).to_contain_text(reason)
        self.get("device-close").click()

    def expect_change(self, *texts: str) -> None:
        """The strip above the message box tells that the model goes on in another way."""
        for text in texts:
            expect(self.get("change")).to_contain_text(text)

    def expect_refusal(self, *texts: str) -> None:
        """The start card says these things and offers no way on; nothing large was fetched."""
        for text in texts:
            expect(self.get("device")).to_contain_text(text)
        expect(self.get("load")).to_be_disabled()
        assert self.requested("weights") == []

    @property
    def turns(self) -> list[dict[str, Any]]:
        """The conversation that is open, as the browser keeps it."""
        expect(self.get("log")).to_have_attribute("data-saved", "true")
        return self.stored()

    def stored(self) -> list[dict[str, Any]]:
        """The same, whether or not all of it is written."""
        turns: list[dict[str, Any]] = self.page.evaluate(STORED_TURNS)
        return turns

    @property
    def stats(self) -> dict[str, float]:
        """Of the last answer."""
        found: dict[str, float] = self.turns[-1]["stats"]
        return found

    def requested(self, folder: str) -> list[str]:
        """Requests for files of one folder of the bundle."""
        return [url for url in self.requests if f"/{folder}/" in url]

    def strangers(self) -> list[str]:
        """Requests that left the page's origin."""
        home = urlsplit(self.address).netloc
        local = ("data", "blob")
        split = [(url, urlsplit(url)) for url in self.requests]
        return [url for url, parts in split if parts.scheme not in local and parts.netloc != home]

    def assert_no_problems(self) -> None:
        """Nothing was refused, and nothing failed."""
        assert self.problems == []

    def assert_clean(self) -> None:
        """Nothing was refused, nothing failed, and nothing left the origin."""
        self.assert_no_problems()
        assert self.strangers() == []


def replace(change: Callable[[bytes], bytes]) -> Callable[[Route], None]:
    """Fetches for real and changes the body; the headers stay."""

    def handle(route: Route) -> None:
        try:
            response = route.fetch()
            route.fulfill(response=response, body=change(response.body()))
        except Error as error:
            # The page was closed with this request under way.
            if not any(word in error.message for word in ("closed", "disposed")):
                raise

    return handle


def edit_manifest(chat: ChatPage, edit: Callable[[dict[str, Any]], None]) -> None:
    """Serves another manifest, and a page that vouches for it."""

    def edited(body: bytes) -> bytes:
        manifest = json.loads(body)
        edit(manifest)
        return json.dumps(manifest).encode()

    def vouch(body: bytes) -> bytes:
        head, block, tail = SITE_BLOCK.fullmatch(body.decode()).groups()
        site = json.loads(block)
        [listed] = site["models"]
        manifest = chat.page.request.get(f"{chat.address}/{listed['urls'][0]}manifest.json")
        digest = hashlib.sha256(edited(manifest.body())).hexdigest()
        listed["integrity"] = f"sha256-{digest}"
        return f"{head}{json.dumps(site)}{tail}".encode()

    chat.page.route("**/manifest.json", replace(edited))
    chat.page.route(lambda url: urlsplit(url).path == "/", replace(vouch))


@contextmanager
def visit(browser: Browser, address: str, **device: Any) -> Iterator[ChatPage]:
    """A person's first visit; `device` as Playwright's `new_context` takes it. A service worker
    would answer before any route of a test does, so there is none unless the device allows it."""
    context = browser.new_context(**{"service_workers": "block", **device})
    try:
        yield ChatPage(context, address)
    finally:
        context.close()
