"""What was measured, what it comes to, and how it is written down."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

BASE = "webkiln"  # whose figures are divided by the others'
QUIET_LOAD = 0.7  # load average at the start above which figures are not to be trusted
QUIET_CORES = 0.2  # the same for cores that work on other things right before a measurement
FIGURES = ("load_s", "first_token_s", "prefill_tokens_per_s", "decode_tokens_per_s", "cores")


@dataclass(frozen=True)
class Run:
    """One measurement of one engine."""

    engine: str
    threads: int
    load_s: float  # until the engine can take a prompt, its files in the browser's cache
    first_token_s: float
    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    cores: float  # processor seconds its processes used per second of the measured part
    load_average: float  # of the machine, over the minute before
    busy: float | None  # cores busy in the half second before, by whatever; None where unknown
    info: dict[str, Any]  # what the engine says of itself


@dataclass(frozen=True)
class Row:
    """All runs of one engine with one number of threads."""

    engine: str
    label: str
    threads: int
    median: dict[str, float]
    lowest: dict[str, float]
    highest: dict[str, float]
    ratios: dict[str, float]  # Webkiln's median / this one's; empty where it was not measured


def rows(runs: Iterable[Run], labels: Mapping[str, str]) -> list[Row]:
    """Fewest threads first, then in the order of `labels` (engine -> what people call it)."""
    groups: dict[tuple[int, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.threads, run.engine), []).append(run)
    order = list(labels)
    keys = sorted(groups, key=lambda key: (key[0], order.index(key[1])))
    medians = {key: _reduced(groups[key], statistics.median) for key in keys}
    return [
        Row(
            engine,
            labels[engine],
            threads,
            medians[threads, engine],
            _reduced(groups[threads, engine], min),
            _reduced(groups[threads, engine], max),
            _ratios(medians.get((threads, BASE)), medians[threads, engine]),
        )
        for threads, engine in keys
    ]


def _reduced(runs: list[Run], reduce: Callable[[list[float]], float]) -> dict[str, float]:
    return {figure: reduce([getattr(run, figure) for run in runs]) for figure in FIGURES}


def _ratios(base: dict[str, float] | None, other: dict[str, float]) -> dict[str, float]:
    if base is None:
        return {}
    return {
        "prefill": base["prefill_tokens_per_s"] / other["prefill_tokens_per_s"],
        "decode": base["decode_tokens_per_s"] / other["decode_tokens_per_s"],
    }


def table(found: list[Row]) -> str:
    """Markdown."""
    head = ["engine", "threads", "load s", "prefill tok/s", "decode tok/s", "cores used"]
    head += ["Webkiln's prefill", "Webkiln's decode"]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for row in found:
        cells = [row.label, str(row.threads), f"{row.median['load_s']:.1f}"]
        cells += [_with_range(row, "prefill_tokens_per_s"), _with_range(row, "decode_tokens_per_s")]
        cells += [f"{row.median['cores']:.2f}", _times(row, "prefill"), _times(row, "decode")]
        lines.append(cells)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _with_range(row: Row, figure: str) -> str:
    median, lowest, highest = (
        _rate(each[figure]) for each in (row.median, row.lowest, row.highest)
    )
    return f"{median} ({lowest} to {highest})"


def _rate(value: float) -> str:
    """Three digits for what is slow, too."""
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _times(row: Row, figure: str) -> str:
    return f"{row.ratios[figure]:.2f}x" if row.ratios and row.engine != BASE else ""


def line(run: Run, label: str) -> str:
    """One run, for the terminal."""
    return (
        f"{run.threads} thread(s), {label}: prefill {_rate(run.prefill_tokens_per_s)}, "
        f"decode {_rate(run.decode_tokens_per_s)} tokens/s, load {run.load_s:.1f} s "
        f"({run.cores:.2f} cores used; load average {run.load_average:.2f})"
    )


def warnings(runs: Iterable[Run]) -> list[str]:
    """What casts doubt on the figures."""
    found = []
    for run in runs:
        name = f"{run.engine}, {run.threads} thread(s)"
        if run.busy is not None and run.busy > QUIET_CORES:
            found.append(f"{name}: {run.busy:.1f} cores were busy before it began")
        if run.info.get("backend") == "webgpu":
            continue  # SwiftShader takes the cores it likes
        if not 0.85 * run.threads < run.cores < run.threads + 0.3:
            found.append(f"{name}: used {run.cores:.2f} cores")
    return found


def title(conditions: Mapping[str, Any]) -> str:
    return (
        f"{conditions['model']}, {conditions['date']}: prompt of {conditions['prompt_tokens']} "
        f"tokens, {conditions['decode_tokens']} decoded, {conditions['browser']}, "
        f"{conditions['machine']}, medians of {conditions['rounds']} (lowest to highest)"
    )


def write(
    folder: Path,
    conditions: Mapping[str, Any],
    runs: list[Run],
    found: list[Row],
    suffix: str = "",
) -> Path:
    """<date>-<model><suffix>.json, and the table beside it as .md; the JSON file's path."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        **conditions,
        "warnings": warnings(runs),
        "summary": [asdict(row) for row in found],
        "runs": [asdict(run) for run in runs],
    }
    file = folder / f"{conditions['date']}-{conditions['model']}{suffix}.json"
    file.write_text(json.dumps(data, indent=2) + "\n")
    doubts = "".join(f"- {warning}\n" for warning in warnings(runs))
    notes = f"\nDoubtful:\n\n{doubts}" if doubts else ""
    file.with_suffix(".md").write_text(f"# {title(conditions)}\n\n{table(found)}{notes}")
    return file
