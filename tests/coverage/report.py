"""docs/coverage.json and its twin for people."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from pathlib import Path

from tests.coverage import named
from tests.coverage.configs import NAMES
from tests.coverage.judge import MAGNIFIED, PROMPT, STEPS, TOLERANCE, Verdict

JSON = Path("docs/coverage.json")
MARKDOWN = Path("docs/coverage.md")
PACKAGES = ("transformers", "torch", "apache-tvm")


def read() -> dict[str, Verdict]:
    """Verdicts by name; empty where there is no table yet."""
    if not JSON.exists():
        return {}
    return {each["name"]: Verdict(**each) for each in json.loads(JSON.read_text())}


def write(verdicts: Iterable[Verdict]) -> None:
    """Both files, in transformers' order of names."""
    ordered = sorted(verdicts, key=lambda verdict: NAMES.index(verdict.name))
    JSON.write_text(json.dumps([asdict(verdict) for verdict in ordered], indent=1) + "\n")
    MARKDOWN.write_text(markdown(ordered))


def markdown(verdicts: list[Verdict]) -> str:
    """The table, with what it was made with."""
    made = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    matching = [verdict for verdict in verdicts if verdict.matches]
    others = [verdict for verdict in verdicts if not verdict.matches]
    lines = [
        "# Architectures",
        "",
        f"Of the {len(NAMES)} names of causal language models in transformers {len(verdicts)} were "
        f"tried and {len(matching)} match PyTorch ({made}; last run "
        f"{date.today().isoformat()}).",
        "",
        "For each, `make coverage` builds a tiny model with random weights from the "
        "architecture's own configuration, compiles it, runs it in headless Chromium on WebGPU and "
        f"on WebAssembly, and compares the logits of a prompt of {PROMPT} tokens and of {STEPS} "
        "steps after it with transformers' own. The largest error of any, relative to "
        f"max(1, |logit|), is to be below {TOLERANCE:g}, or below {MAGNIFIED:g} times what "
        "PyTorch's own logits move by when every weight moves by up to half a unit in its last "
        "place, where that is more.",
        "",
        _named(),
        "",
        "| architecture | dispatches per layer | largest error |",
        "|---|---|---|",
        *(f"| {v.name} | {v.dispatches} | {v.worst:g} |" for v in matching),
        "",
        "## Not yet",
        "",
        "| architecture | reason |",
        "|---|---|",
        *(f"| {v.name} | {_cell(v.reason)} |" for v in others),
        "",
    ]
    return "\n".join(lines)


def _named() -> str:
    adapters = len(named.ADAPTERS.read_text().splitlines())
    gguf, mlc = (sum(len(named.naming(p)) for p in paths) for paths in (named.GGUF, named.MLC))
    return (
        f"The compiler names architectures in these places alone: `{named.ADAPTERS}`, {adapters} "
        f"lines for attention classes older than transformers' interface, and the names that files "
        f"give them: {gguf} lines for GGUF and {mlc} for MLC."
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
