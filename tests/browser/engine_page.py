"""A page with nothing but the engine, called from Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from tests.browser.miniature import MODEL, Miniature
from tests.browser.site import Site, engine_files, folder_files, serve

# What is thrown comes back as data; anything that is not a WebkilnError fails the test.
ATTEMPT = """async ([body, arg]) => {
  try {
    return { value: await eval(`(async (arg) => { ${body} })`)(arg) };
  } catch (error) {
    if (error.name !== "WebkilnError") throw error;
    return { error: { code: error.code, message: error.message, hint: error.hint } };
  }
}"""

# Lets a test reach into the worker: lose its device, or end it without a word.
HOOKS = b"""
const open = globalThis.GPUAdapter?.prototype.requestDevice;
let device;
if (open) GPUAdapter.prototype.requestDevice = async function (...args) {
  device = await open.apply(this, args);
  return device;
};
new BroadcastChannel("test").onmessage = ({ data }) => {
  if (data === "lose device") device.destroy();
  if (data === "end worker") self.close();
  if (data === "fill memory") {
    const error = new GPUOutOfMemoryError("full");
    device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
  }
};
"""


class EnginePage:
    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.site = site

    def attempt(self, body: str, arg: Any = None) -> dict[str, Any]:
        """Runs the body of an async function of `arg`: {"value": ...} or {"error": ...}."""
        result: dict[str, Any] = self.page.evaluate(ATTEMPT, [body, arg])
        return result

    def value(self, body: str, arg: Any = None) -> Any:
        result = self.attempt(body, arg)
        assert "error" not in result, result
        return result["value"]

    def error(self, body: str, arg: Any = None) -> dict[str, str]:
        result = self.attempt(body, arg)
        assert "error" in result, result
        error: dict[str, str] = result["error"]
        assert error["hint"], "an error must say what to do"
        return error

    def open(self) -> None:
        self.page.goto(self.site.address)

    def load(self, **options: Any) -> dict[str, Any]:
        """createEngine with `options`, as an attempt; the engine is then `engine` in the page."""
        self.open()
        return self.attempt(LOAD, {"model": f"{MODEL}/", **options})

    def loaded(self, **options: Any) -> dict[str, Any]:
        result = self.load(**options)
        assert "error" not in result, result
        value: dict[str, Any] = result["value"]
        return value

    def refused(self, **options: Any) -> dict[str, str]:
        result = self.load(**options)
        assert "error" in result, result
        error: dict[str, str] = result["error"]
        assert error["hint"], "an error must say what to do"
        return error

    def report(self) -> dict[str, Any]:
        """What checkDevice says of the model."""
        value: dict[str, Any] = self.value(REPORT, f"{MODEL}/")
        return value


LOAD = """
  const { createEngine } = await import("/engine.js");
  window.progress = [];
  window.changes = [];
  window.engine = await createEngine({
    ...arg,
    onProgress: (p) => window.progress.push(p),
    onChange: (info) => window.changes.push(structuredClone(info)),
  });
  return window.engine.info;
"""
REPORT = """
  const { checkDevice } = await import("/engine.js");
  return (await checkDevice({ model: arg })).report;
"""


# Streams an answer; each of `orders` goes to the hooks once so many characters have come.
ANSWER = """
  const channel = new BroadcastChannel("test");
  const orders = [...arg.orders];
  const request = { ...arg.request, stream: true };
  let text = "", last;
  for await (const chunk of await engine.chat.completions.create(request)) {
    text += chunk.choices[0].delta.content ?? "";
    last = chunk;
    while (orders.length > 0 && text.length >= orders[0][0]) {
      channel.postMessage(orders.shift()[1]);
    }
  }
  return { text, usage: last.usage, finish: last.choices[0].finish_reason };
"""


def ask(content: str, max_tokens: int, **settings: object) -> dict[str, object]:
    """A greedy request."""
    messages = [{"role": "user", "content": content}]
    return {"messages": messages, "temperature": 0, "max_tokens": max_tokens, **settings}


@contextmanager
def engine_page(
    browser: Browser, model: Miniature | Path | None = None, *, hooks: bool = False
) -> Iterator[EnginePage]:
    """A page of its own site, with nothing cached yet; `model` may be a bundle's folder."""
    if isinstance(model, Path):
        bundle = folder_files(model, MODEL)
    else:
        bundle = (model or Miniature()).files()
    files = {**engine_files(), **bundle}
    if hooks:
        files["/worker.js"] = HOOKS + files["/worker.js"]
    context = browser.new_context()
    try:
        with serve(Site(files)) as site:
            yield EnginePage(context.new_page(), site)
            context.close()
    finally:
        context.close()
