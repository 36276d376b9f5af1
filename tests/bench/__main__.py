"""`make bench`: load, prefill and decode of a bundle in headless Chromium, as JSON.

Every run is a fresh page: load (files cached by the browser from the first, untimed, run on),
then a prompt of PROMPT tokens, then DECODE tokens one after the other. Prefill's time is that of
one token generated after the whole prompt, decode's that of DECODE more.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from datetime import date
from pathlib import Path
from typing import Any

from web.verify import BrowserEngine, browser_engine

PROMPT = 128
DECODE = 64
CONTEXT = 512
RESULTS = Path("docs/bench")
DEFAULT = Path("models/smollm2-135m-instruct")

MEASURE = """async ({ ids, decode }) => {
  const timed = async (count) => {
    const start = performance.now();
    const out = await engine.generate(ids, count);
    if (out.length !== count) throw new Error(`asked for ${count} tokens, got ${out.length}`);
    return (performance.now() - start) / 1000;
  };
  const first = await timed(1);
  const rest = await timed(decode + 1);
  return { first, rest };
}"""


def measure(engine: BrowserEngine, name: str, variant: str) -> dict[str, float]:
    """One run: seconds to load, tokens a second of prefill and of decode."""
    start = time.monotonic()
    engine.load(name, variant, CONTEXT)
    load = time.monotonic() - start
    ids = engine.tokenize("The quick brown fox jumps over the lazy dog. " * 32)[:PROMPT]
    seconds = engine.page.evaluate(MEASURE, {"ids": ids, "decode": DECODE})
    # The second call finds the prompt in the KV cache, so it is decoding but for one token.
    return {
        "load_s": load,
        "first_token_s": seconds["first"],
        "prefill_tokens_per_s": PROMPT / seconds["first"],
        "decode_tokens_per_s": (DECODE + 1) / seconds["rest"],
    }


def summary(runs: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Minimum, median and maximum of every figure."""
    return {
        key: {
            "min": min(run[key] for run in runs),
            "median": statistics.median(run[key] for run in runs),
            "max": max(run[key] for run in runs),
        }
        for key in runs[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--variant", default="f32")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with browser_engine(options.bundle.absolute().parent) as engine:
        name = options.bundle.absolute().name
        engine.load(name, options.variant, CONTEXT)  # fills the browser's cache
        runs = []
        for index in range(options.runs):
            runs.append(measure(engine, name, options.variant))
            print(f"run {index + 1}: {json.dumps(runs[-1])}", flush=True)
        version = engine.page.context.browser.version if engine.page.context.browser else ""
    result: dict[str, Any] = {
        "date": date.today().isoformat(),
        "bundle": name,
        "variant": options.variant,
        "browser": f"Chromium {version}, WebGPU on SwiftShader",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "load_average": os.getloadavg()[0],
        "prompt_tokens": PROMPT,
        "decode_tokens": DECODE,
        "runs": runs,
        "summary": summary(runs),
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{result['date']}-{name}-{options.variant}.json"
    file.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["summary"], indent=2))
    print(f"written to {file}")


if __name__ == "__main__":
    main()
