"""`make bench`: loading, prefill and decode of Webkiln and its peers, in one headless Chromium.

Every engine gets the same 128 token ids (or the text of them), decodes greedily, and is measured
in a fresh page after a warming run: prefill is the time to the first token, decode that of the 64
after it. Rounds are interleaved, so that what disturbs the machine disturbs everybody. A complete
run is filed in docs/bench; one with --only or --threads is only printed. With --gpu those that run
on WebGPU are measured instead, on SwiftShader, which takes minutes a round.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from tests.bench import models, report
from tests.bench.contenders import Contender, contenders, on_webgpu, webgpu_contenders
from tests.bench.measure import Bench
from tests.bench.prompts import prompts
from tests.bench.report import Run
from tests.bench.server import serving
from web.browser import browser

PROMPT = 128
DECODE = 64
DECODE_GPU = 8  # SwiftShader takes seconds for each
RESULTS = Path("docs/bench")
DEFAULT = Path("models/smollm2-135m-instruct")
THREADS = (1, 2)


def main() -> None:
    load_average = os.getloadavg()[0]  # before anything of this program adds to it
    if load_average > report.QUIET_LOAD:
        print(f"warning: load average {load_average:.2f}: something else is running")
    options = _arguments()
    choose = webgpu_contenders if options.gpu else contenders
    found = choose(options.bundle.absolute().name, options.variant)
    entered = _chosen(found, options.only)
    for contender in entered:
        if contender.file is not None:
            models.make(contender.file)
    conditions, runs = _measure(entered, options, load_average)
    summary = report.rows(runs, {each.name: each.label for each in entered})
    print(f"\n{report.title(conditions)}\n\n{report.table(summary)}")
    for warning in report.warnings(runs):
        print(f"warning: {warning}")
    if len(entered) == len(found) and options.threads == THREADS:
        suffix = "-webgpu" if options.gpu else ""
        print(f"written to {report.write(RESULTS, conditions, runs, summary, suffix)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--only", action="append", metavar="NAME", help="may be given again")
    parser.add_argument("--threads", type=_counts, default=THREADS, metavar="1,2")
    parser.add_argument("--gpu", action="store_true", help="engines on WebGPU, on SwiftShader")
    parser.add_argument(
        "--decode", type=int, metavar="N", help=f"tokens ({DECODE}, with --gpu {DECODE_GPU})"
    )
    parser.add_argument("--runs", type=int, default=3, help="rounds (default 3)")
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME",
        help="measures this variant of Webkiln too: wasm-relaxed, or f32 (SwiftShader, minutes a "
        "round), ...; may be given again",
    )
    options = parser.parse_args()
    options.decode = options.decode or (DECODE_GPU if options.gpu else DECODE)
    return options


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _chosen(found: list[Contender], only: list[str] | None) -> list[Contender]:
    names = [contender.name for contender in found]
    if unknown := set(only or ()) - set(names):
        raise SystemExit(f"no contender {', '.join(unknown)}: there are {', '.join(names)}")
    return [contender for contender in found if not only or contender.name in only]


def _measure(
    entered: list[Contender], options: argparse.Namespace, load_average: float
) -> tuple[dict[str, Any], list[Run]]:
    """The conditions everything is measured under, and the runs."""
    webgpu = options.gpu or any(on_webgpu(name) for name in options.variant)
    with (
        serving(options.bundle.absolute().parent) as address,
        browser(webgpu=webgpu) as chromium,
    ):
        bench = Bench(chromium, address, prompts(PROMPT))
        page = bench.fill_caches(entered, options.threads)
        runs = list(_rounds(bench, entered, options))
        conditions = {
            "date": date.today().isoformat(),
            "model": options.bundle.absolute().name,
            "browser": f"Chromium {chromium.version}",
            "page": page,
            "machine": f"{os.cpu_count()} cores, {platform.machine()}",
            "load_average": load_average,
            "prompt_tokens": PROMPT,
            "decode_tokens": options.decode,
            "rounds": options.runs,
        }
    return conditions, runs


def _rounds(bench: Bench, entered: list[Contender], options: argparse.Namespace) -> Iterator[Run]:
    for index in range(options.runs):
        for contender in entered:
            for threads in contender.counts(options.threads):
                run = bench.measure(contender, threads, options.decode)
                print(f"round {index + 1}, {report.line(run, contender.label)}", flush=True)
                yield run


if __name__ == "__main__":
    main()
