"""How far estimates of speed are off: `python -m tests.bench.pace models/*`.

Every way of running each bundle here, in turn: the micro-benchmark's estimate, then answers, then
the same again. Nothing else may run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from tests.browser.site import Site, engine_files, folder_files, serve
from web.browser import browser

MODEL = "/models/measured"
WAYS: dict[str, dict[str, Any]] = {
    "WebAssembly, 1 thread": {"backend": "wasm", "threads": 1},
    "WebAssembly, 2 threads": {"backend": "wasm", "threads": 2},
    "WebGPU": {"backend": "webgpu"},
}
TOKENS = {"wasm": 48, "webgpu": 16}
ROUNDS = 3

# Storage is emptied first, so that nothing is remembered.
ESTIMATE = """async (way) => {
  const { assess } = await import("/engine.js");
  localStorage.clear();
  const [{ speed, variant }] = await assess([{ model: "%s/", context: 1024, ...way }]);
  return { rate: speed?.tokensPerSecond ?? null, variant };
}"""
LOAD = """async (way) => {
  const { createEngine } = await import("/engine.js");
  window.engine = await createEngine({ model: "%s/", context: 1024, ...way });
}"""
# The prompt puts answers about where estimates are made for; its number keeps it from the cache.
ANSWER = """async ([tokens, round]) => {
  const ids = await engine.tokenize(`${round} ` + "the rain falls on the roof ".repeat(28));
  await engine.generate(ids, 2);
  const start = performance.now();
  await engine.generate(ids.concat(ids.slice(0, 1)), 1);
  const once = performance.now();
  await engine.generate(ids.concat(ids.slice(0, 2)), tokens + 1);
  return tokens * 1000 / (performance.now() - once - (once - start));
}"""


def measure(page: Page, way: dict[str, Any]) -> tuple[str, float, float]:
    """Variant, tokens a second as estimated and as measured: the medians of some rounds."""
    page.reload()
    estimates, rates, variant = [], [], ""
    page.evaluate(LOAD % MODEL, way)
    for index in range(ROUNDS):
        said = page.evaluate(ESTIMATE % MODEL, way)
        if said["rate"] is None:
            raise SystemExit(f"{way}: nothing was estimated")
        variant = said["variant"]
        estimates.append(said["rate"])
        rates.append(page.evaluate(ANSWER, [TOKENS[way["backend"]], index]))
    page.evaluate("engine.dispose()")
    return variant, statistics.median(estimates), statistics.median(rates)


def rows(instance: Browser, folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    with serve(Site({**engine_files(), **folder_files(folder, MODEL)})) as site:
        page = instance.new_context().new_page()
        page.set_default_timeout(0)
        page.goto(site.address)
        for name, way in WAYS.items():
            variant, estimated, measured = measure(page, way)
            off = estimated / measured - 1
            cells = (manifest["name"], f"{name} ({variant})", f"{estimated:.1f}", f"{measured:.1f}")
            print("|", " | ".join([*cells, f"{off:+.0%}"]), "|", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundles", nargs="+", type=Path)
    print("| model | way | estimated, tokens/s | measured, tokens/s | off by |")
    print("| --- | --- | ---: | ---: | ---: |")
    with browser() as instance:
        for folder in parser.parse_args().bundles:
            rows(instance, folder)


if __name__ == "__main__":
    main()
