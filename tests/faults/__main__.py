"""`make faults`: injects every fault as often as was promised, and writes the table of counts.

A row is a test or several, run in a process of their own. Rows that are in docs/faults.json are
not run again, unless `--again` says so; a row whose test fails stays out, and the command fails.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from tests.browser.outcomes import VARIABLE, read

JSON = Path("docs/faults.json")
MARKDOWN = Path("docs/faults.md")
DOWNLOADS = "tests/browser/test_downloads.py"
MID_ANSWER = "tests/browser/test_mid_answer.py"
CONVERSATION = "tests/browser/test_page_conversation_faults.py"
RECOVERY = "tests/browser/test_engine_recovery.py"
# Tests by the name of their row: each notes the outcome of its trials (tests/browser/outcomes.py).
ROWS: dict[str, list[str]] = {
    "cuts": [f"{DOWNLOADS}::test_connections_cut_anywhere"],
    "flips": [f"{DOWNLOADS}::test_single_bytes_flipped"],
    "answers": [
        f"{DOWNLOADS}::test_a_server_that_answers_wrongly",
        f"{DOWNLOADS}::test_a_mirror_helps_out",
    ],
    "quota": [f"{DOWNLOADS}::test_a_full_disk"],
    "eviction": [f"{DOWNLOADS}::test_storage_evicted_between_visits"],
    "damage": [f"{DOWNLOADS}::test_a_damaged_file_is_replaced_and_that_is_said"],
    "tabs": [f"{DOWNLOADS}::test_two_tabs_share_one_download"],
    "reload": [f"{DOWNLOADS}::test_a_reload_fetches_nothing_twice"],
    "worker": [f"{DOWNLOADS}::test_a_worker_killed_in_mid_download"],
    "network": [f"{DOWNLOADS}::test_a_lost_network_is_waited_for"],
    "pause": [f"{DOWNLOADS}::test_paused_resumed_and_cancelled"],
    "answer": [f"{MID_ANSWER}::test_interrupted_at_random_moments"],
    "tab": [
        f"{CONVERSATION}::test_tab_closed_in_mid_answer",
        f"{CONVERSATION}::test_tab_crashed_in_mid_answer",
        f"{CONVERSATION}::test_taken_over_in_mid_answer",
    ],
    "device": [
        f"{MID_ANSWER}::test_device_lost_at_random_moments",
        f"{RECOVERY}::test_a_device_lost_twice_is_left_for_webassembly",
        f"{RECOVERY}::test_a_second_loss_in_one_answer_is_the_end_of_the_only_rung",
        f"{RECOVERY}::test_memory_that_runs_out_in_mid_answer",
        "tests/browser/test_page_recovery.py::test_a_lost_device_is_no_end",
    ],
    "kernel": [f"{RECOVERY}::test_a_kernel_that_faults_again_and_again"],
}
INTRODUCTION = """# Faults

What `make faults` injected, how often, and what came of it, in Chromium. *Recovered*: the model
loaded all the same, and gave the known answer; in mid-answer, nothing that had been shown was lost,
and the answer went on to be the one it would have been or, where the page or its worker had ended,
could be continued. *Refused*: it ended in one typed error, nothing wrong was kept, and the
next load, without the fault, gave the known answer. A trial that ended in any other way (something
lost, a corrupt byte used) would have failed its test and kept the row out.

| fault | trials | recovered | refused | run on |
|---|---:|---:|---:|---|
"""


def run(tests: list[str]) -> dict[str, Counter[str]] | None:
    """Counts by fault and outcome; None when a test failed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "outcomes.json")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
        done = subprocess.run(command, env={**os.environ, VARIABLE: str(path)}, check=False)
        return read(path) if done.returncode == 0 else None


def write(rows: dict[str, dict[str, object]]) -> None:
    JSON.write_text(json.dumps(rows, indent=1) + "\n")
    lines = []
    for row in rows.values():
        date, counts = row["date"], row["counts"]
        assert isinstance(counts, dict)
        for fault, found in counts.items():
            recovered, refused = found.get("recovered", 0), found.get("refused", 0)
            cells = [fault, recovered + refused, recovered, refused, date]
            lines.append(f"| {' | '.join(map(str, cells))} |\n")
    MARKDOWN.write_text(INTRODUCTION + "".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--again", action="store_true", help="run what has run before")
    options = parser.parse_args()
    if unknown := set(options.rows) - ROWS.keys():
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    known = json.loads(JSON.read_text()) if JSON.exists() else {}
    failed = []
    for name in options.rows or ROWS:
        if name in known and not options.again:
            continue
        known.pop(name, None)
        if (counts := run(ROWS[name])) is None:
            failed.append(name)
        else:
            known[name] = {"date": datetime.now(UTC).date().isoformat(), "counts": counts}
        write({row: known[row] for row in ROWS if row in known})
    if failed:
        sys.exit(f"failed, and not in the table: {', '.join(failed)}")


if __name__ == "__main__":
    main()
