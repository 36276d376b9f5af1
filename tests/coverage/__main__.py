"""`make coverage`: every causal language model of transformers against PyTorch, in the browser.

Resumable: what docs/coverage.json has a verdict of is not run again, unless it is named, or with
--failed. By hand, as all of it takes hours.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from rich.console import Console

from tests.coverage import report
from tests.coverage.configs import NAMES
from tests.coverage.judge import Verdict, answer

LIMIT = 600  # seconds for one architecture
PROCESSES = multiprocessing.get_context("forkserver")  # what they import is imported once
PROCESSES.set_forkserver_preload(["tests.coverage.judge"])


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
    """In a process of its own, so that nothing one architecture does to transformers, TVM or the
    browser reaches the next."""
    receiver, sender = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=answer, args=(name, sender))
    process.start()
    sender.close()
    try:
        if not receiver.poll(LIMIT):
            return Verdict(name, False, f"took more than {LIMIT} s")
        return receiver.recv()  # type: ignore[no-any-return]
    except EOFError:
        process.join()
        return Verdict(name, False, f"ended with code {process.exitcode}")
    finally:
        process.kill()


if __name__ == "__main__":
    main()
