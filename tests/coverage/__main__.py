"""`make coverage`: every causal language model of transformers against PyTorch, in the browser.

Resumable: what docs/coverage.json has a verdict of is not run again, unless it is named, or with
--failed. By hand, as all of it takes hours.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from rich.console import Console

from tests.coverage import report
from tests.coverage.configs import NAMES
from tests.coverage.judge import Verdict

LIMIT = 600  # seconds for one architecture


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: those without a verdict")
    parser.add_argument("--failed", action="store_true", help="those that did not match as well")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"transformers has no {', '.join(sorted(unknown))}")
    known = report.read()
    done = {name for name, each in known.items() if each.matches or not options.failed}
    names = options.names or [name for name in NAMES if name not in done]
    console = Console()
    for verdict in _judged(names, options.workers):
        known[verdict.name] = verdict
        report.write(known.values())
        said = f"matches ({verdict.worst:g})" if verdict.matches else verdict.reason
        console.print(f"{verdict.name}: {said}", markup=False, highlight=False)
    matching = sum(verdict.matches for verdict in known.values())
    console.print(f"{matching} of {len(NAMES)} match; written to {report.JSON}")


def _judged(names: Sequence[str], workers: int) -> Iterator[Verdict]:
    with ThreadPoolExecutor(workers) as pool:
        for future in as_completed([pool.submit(_judge, name) for name in names]):
            yield future.result()


def _judge(name: str) -> Verdict:
    command = [sys.executable, "-m", "tests.coverage.judge", name]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return Verdict(name, False, f"took more than {LIMIT} s")
    lines = ended.stdout.splitlines()
    if ended.returncode or not lines:
        last = (ended.stderr.strip().splitlines() or ["no output"])[-1]
        return Verdict(name, False, f"ended with code {ended.returncode}: {last[:300]}")
    return Verdict(**json.loads(lines[-1]))


if __name__ == "__main__":
    main()
