"""What a build says when it is done; every figure is read back from the bundle it wrote."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from compiler.bundle.cards import license_words
from compiler.bundle.inspect import VariantFacts, size, variant_facts
from compiler.bundle.read import Bundle


@dataclass(frozen=True)
class Summary:
    """The result of `compiler.build.build`."""

    bundle: Path
    seconds: float
    peak_bytes: int  # resident memory of this process at its highest


def peak_bytes() -> int:
    """The most resident memory this process has had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def readable(summary: Summary) -> RenderableType:
    """The closing table of compile-model."""
    bundle = Bundle.open(summary.bundle)
    manifest = bundle.manifest
    table = Table(show_header=False, box=None, pad_edge=False)
    file_bytes = sum(entry.bytes for entry in manifest.files.values())
    table.add_row("bundle", f"{summary.bundle} ({size(file_bytes)})")
    table.add_row("licence", Text(license_words(manifest.card.license)))
    table.add_row("parameters", f"{manifest.parameters:,}")
    table.add_row("bits per weight", f"{manifest.bits_per_weight:.2f}")
    for name in manifest.variants:
        for label, value in _variant_rows(variant_facts(bundle, name), manifest.default_context):
            table.add_row(f"{name}: {label}", value)
    table.add_row("time", f"{summary.seconds:.1f} s")
    table.add_row("peak memory", size(summary.peak_bytes))
    for note in manifest.notes:
        table.add_row("note", note)
    return table


def _variant_rows(facts: VariantFacts, context: int) -> list[tuple[str, str]]:
    total = facts.weight_bytes + facts.scratch_bytes + facts.state_bytes
    memory = ("device memory", f"{size(total)} at a context of {context:,} tokens")
    if facts.dispatches_decode is None:
        most, layer = max(facts.dispatches.values()), facts.dispatches_per_layer["embed"]
        return [memory, ("dispatches per text", f"{most} ({layer} per layer)")]
    layer = facts.dispatches_per_layer["decode"]
    return [memory, ("dispatches per token", f"{facts.dispatches_decode} ({layer} per layer)")]
