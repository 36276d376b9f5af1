"""What `make bench` makes of its runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import report
from tests.bench.report import Run

LABELS = {"webkiln": "Webkiln", "peer": "A peer"}
QUIET = Run("peer", 1, 1.0, 2.0, 64.0, 10.0, 1.0, 0.1, 0.0, {})


def runs() -> list[Run]:
    """The peer decodes 10, 40, 20 tokens a second, Webkiln 60 and 100."""
    peer = [replace(QUIET, decode_tokens_per_s=rate) for rate in (10.0, 40.0, 20.0)]
    ours = [
        replace(QUIET, engine="webkiln", prefill_tokens_per_s=96.0, decode_tokens_per_s=rate)
        for rate in (60.0, 100.0)
    ]
    return [*peer, *ours]


def test_medians_and_ratios() -> None:
    ours, peer = report.rows(runs(), LABELS)
    assert (ours.engine, ours.median["decode_tokens_per_s"]) == ("webkiln", 80)
    assert peer.median["decode_tokens_per_s"] == 20
    assert (peer.lowest["decode_tokens_per_s"], peer.highest["decode_tokens_per_s"]) == (10, 40)
    assert peer.ratios == {"prefill": 1.5, "decode": 4.0}


def test_ratios_compare_equal_numbers_of_threads() -> None:
    found = report.rows([*runs(), replace(QUIET, threads=2)], LABELS)
    assert [(row.engine, row.threads) for row in found] == [
        ("webkiln", 1),
        ("peer", 1),
        ("peer", 2),
    ]
    assert found[-1].ratios == {}


def test_table_shows_ratios_of_the_others_only() -> None:
    ours, peer = report.table(report.rows(runs(), LABELS)).splitlines()[2:]
    assert ours == "| Webkiln | 1 | 1.0 | 96.0 (96.0 to 96.0) | 80.0 (60.0 to 100.0) | 1.00 |  |  |"
    assert peer.endswith("| 20.0 (10.0 to 40.0) | 1.00 | 1.50x | 4.00x |")


@pytest.mark.parametrize(
    ("doubtful", "said"),
    [
        (replace(QUIET, busy=0.6), "0.6 cores were busy"),
        (replace(QUIET, threads=2, cores=1.2), "used 1.20 cores"),
        (replace(QUIET, cores=1.9), "used 1.90 cores"),
    ],
)
def test_doubtful_runs_are_named(doubtful: Run, said: str) -> None:
    (warning,) = report.warnings([QUIET, doubtful])
    assert warning.startswith(f"peer, {doubtful.threads} thread(s)")
    assert said in warning


def test_files(tmp_path: Path) -> None:
    conditions = {
        "date": "2026-01-02",
        "model": "tiny",
        "browser": "Chromium 1",
        "machine": "2 cores",
        "prompt_tokens": 128,
        "decode_tokens": 64,
        "rounds": 3,
    }
    found = report.rows(runs(), LABELS)
    file = report.write(tmp_path / "bench", conditions, runs(), found)
    assert file.name == "2026-01-02-tiny.json"
    data = json.loads(file.read_text())
    assert [run["decode_tokens_per_s"] for run in data["runs"]] == [10, 40, 20, 60, 100]
    assert data["summary"][1]["ratios"]["decode"] == 4
    assert report.table(found) in file.with_suffix(".md").read_text()
    beside = report.write(tmp_path / "bench", conditions, runs(), found, "-webgpu")
    assert beside.name == "2026-01-02-tiny-webgpu.json"


def test_slow_engines_keep_their_digits() -> None:
    slow = replace(QUIET, decode_tokens_per_s=0.184, prefill_tokens_per_s=12.34)
    assert "| 12.3 (12.3 to 12.3) | 0.18 (0.18 to 0.18) |" in report.table(
        report.rows([slow], LABELS)
    )
