"""`make shapes`: models at their published size, compiled without weights.

Resumable: what docs/shapes.json knows is not compiled again, unless it is named, or with --failed.
By hand, as all of it takes an hour or two.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from rich.console import Console

from tests.shapes import report
from tests.shapes.measure import Measured
from tests.shapes.published import PUBLISHED

LIMIT = 3600  # seconds for one model


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: those not known yet")
    parser.add_argument("--failed", action="store_true", help="those that did not compile as well")
    options = parser.parse_args()
    if unknown := set(options.names) - set(PUBLISHED):
        parser.error(f"no configuration of {', '.join(sorted(unknown))}; see --help")
    known = report.read()
    done = {name for name, each in known.items() if not (each.reason and options.failed)}
    console = Console()
    for name in options.names or [name for name in PUBLISHED if name not in done]:
        known[name] = found = _measure(name)
        report.write(known.values())
        said = found.reason or f"compiles in {found.seconds:.0f} s"
        console.print(f"{name}: {said}", markup=False, highlight=False)


def _measure(name: str) -> Measured:
    command = [sys.executable, "-m", "tests.shapes.measure", name]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return Measured(name, f"took more than {LIMIT} s")
    lines = ended.stdout.splitlines()
    if ended.returncode or not lines:
        last = (ended.stderr.strip().splitlines() or ["no output"])[-1]
        return Measured(name, f"ended with code {ended.returncode}: {last[:300]}")
    return Measured(**json.loads(lines[-1]))


if __name__ == "__main__":
    main()
