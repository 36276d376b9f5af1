"""What came of the long tests: docs/soak.json, which runs go on from, and docs/soak.md to read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

JSON = Path("docs/soak.json")
MARKDOWN = Path("docs/soak.md")
INTRODUCTION = """# The long tests

What `make test` runs a sample of and `make soak` the whole, by test file. Each test's result is of
the commit it was last run on; `make soak` runs those that have not passed, `make soak
SOAK=--again` all of them.

| tests | passed | failed | skipped | minutes | last run | commits |
|---|---:|---:|---:|---:|---|---|
"""


@dataclass(frozen=True)
class Result:
    """Of one test."""

    outcome: str  # passed, failed or skipped
    seconds: float
    date: str  # ISO 8601, UTC
    commit: str  # abbreviated; with "+" where the tree had changes


def read(path: Path = JSON) -> dict[str, Result]:
    """By test id; nothing where nothing was run yet."""
    if not path.exists():
        return {}
    return {name: Result(**fields) for name, fields in json.loads(path.read_text()).items()}


def write(results: Mapping[str, Result], folder: Path = Path()) -> None:
    ordered = dict(sorted(results.items()))
    data = {name: asdict(result) for name, result in ordered.items()}
    (folder / JSON).write_text(json.dumps(data, indent=1) + "\n")
    (folder / MARKDOWN).write_text(INTRODUCTION + "".join(_rows(ordered)) + _failures(ordered))


def _rows(results: Mapping[str, Result]) -> Iterable[str]:
    files: dict[str, list[Result]] = {}
    for name, result in results.items():
        files.setdefault(name.partition("::")[0], []).append(result)
    for file, of_file in files.items():
        outcomes = [result.outcome for result in of_file]
        counts = [outcomes.count(outcome) for outcome in ("passed", "failed", "skipped")]
        minutes = sum(result.seconds for result in of_file) / 60
        last = max(result.date for result in of_file)
        commits = ", ".join(sorted({result.commit for result in of_file}))
        cells = [f"`{file}`", *map(str, counts), f"{minutes:.1f}", last, commits]
        yield f"| {' | '.join(cells)} |\n"


def _failures(results: Mapping[str, Result]) -> str:
    failed = [name for name, result in results.items() if result.outcome == "failed"]
    return "".join(["\nFailed:\n\n", *(f"- `{name}`\n" for name in failed)]) if failed else ""
