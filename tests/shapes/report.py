"""docs/shapes.json and its twin for people."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from pathlib import Path

from compiler.bundle.inspect import size
from tests.shapes.measure import Measured
from tests.shapes.published import PUBLISHED

JSON = Path("docs/shapes.json")
MARKDOWN = Path("docs/shapes.md")
PACKAGES = ("transformers", "torch", "apache-tvm")
HEAD = (
    "model",
    "parameters",
    "weights",
    "dispatches per layer",
    "largest binding",
    "buffers a stage",
    "workgroup memory",
    "scratch",
    "seconds",
    "peak memory",
)


def read() -> dict[str, Measured]:
    """What was measured, by name; empty where there is no table yet."""
    if not JSON.exists():
        return {}
    return {each["name"]: Measured(**each) for each in json.loads(JSON.read_text())}


def write(found: Iterable[Measured]) -> None:
    """Both files, in the order of families."""
    names = list(PUBLISHED)
    ordered = sorted(found, key=lambda each: names.index(each.name))
    JSON.write_text(json.dumps([asdict(each) for each in ordered], indent=1) + "\n")
    MARKDOWN.write_text(markdown(ordered))


def markdown(found: list[Measured]) -> str:
    """The table, then what models need beyond what every device has."""
    made = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    compiled = [each for each in found if not each.reason]
    raised = [each for each in compiled if each.notes]
    others = [each for each in found if each.reason]
    lines = [
        "# Published shapes",
        "",
        f"Of {len(PUBLISHED)} published models {len(found)} were tried and {len(compiled)} compile "
        f"at their real size ({made}; last run {date.today().isoformat()}).",
        "",
        "`make shapes` builds each from its published configuration with parameters that take no "
        "memory, traces it and compiles it for WebGPU's base variant and WebAssembly at 4 bits, "
        "but for the weights. The figures are `compile-model inspect`'s for the base variant, "
        "`f32`; all kernels keep to WebGPU's default limits, except where the next table says "
        "otherwise. Time and memory are those of the whole process, on whatever else ran.",
        "",
        _row(HEAD),
        _row(["---"] * len(HEAD)),
        *(_row(_cells(each)) for each in compiled),
        "",
        "## Beyond what every device has",
        "",
        "| model | what its manifest says |",
        "|---|---|",
        *(_row([each.name, "; ".join(each.notes)]) for each in raised),
        "",
    ]
    if others:
        failed = (_row([each.name, each.reason.replace("|", "\\|")]) for each in others)
        lines += ["## Not yet", "", "| model | reason |", "|---|---|", *failed, ""]
    return "\n".join(lines)


def _cells(each: Measured) -> list[str]:
    base = each.variants["f32"]
    return [
        each.name,
        f"{each.parameters / 10**9:.2f} G",
        size(base["weight_bytes"]),
        ", ".join(f"{name} {count}" for name, count in base["dispatches_per_layer"].items()),
        size(base["max_binding_bytes"]),
        str(base["max_storage_buffers_per_stage"]),
        size(base["max_workgroup_bytes"]),
        size(base["scratch_bytes"]),
        f"{each.seconds:.0f}",
        size(each.peak_bytes),
    ]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
