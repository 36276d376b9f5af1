"""What became of injected faults, for the table that `make faults` writes.

A trial ends in one of three ways: what was asked for worked all the same, it was refused with a
typed error, or the test failed. Whatever was answered afterwards was compared with the known
answer, and whatever was kept with its hash, or the trial would not be counted here.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

from filelock import FileLock

VARIABLE = "WEBKILN_FAULTS"  # names the file to add up in


def record(fault: str, outcome: str, trials: int = 1) -> None:
    """Adds trials to the file, if there is one; `outcome` is "recovered" or "refused"."""
    named = os.environ.get(VARIABLE)
    if named is None:
        return
    path = Path(named)
    with FileLock(f"{path}.lock"):
        counts = read(path)
        counts.setdefault(fault, Counter())[outcome] += trials
        path.write_text(json.dumps(counts, indent=1))


def read(path: Path) -> dict[str, Counter[str]]:
    """Counts by fault and outcome."""
    if not path.exists():
        return {}
    return {fault: Counter(found) for fault, found in json.loads(path.read_text()).items()}
