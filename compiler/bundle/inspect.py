"""The facts behind `compile-model inspect`: what a bundle costs a device."""

from __future__ import annotations

import gzip
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from compiler.bundle import cards
from compiler.bundle.read import Bundle
from compiler.bundle.schema import Buffer, Function, Manifest, Plan


@dataclass(frozen=True)
class VariantFacts:
    """Figures of one variant; bytes of state are those at the default context.

    The names are WebGPU's. On WebAssembly a dispatch is a step that all threads share, a workgroup
    an item of it with one invocation, and workgroup memory is the workspace each thread has; the
    kernels' text is the module.
    """

    backend: str
    dispatches_decode: int | None  # null: an embedder
    dispatches: dict[str, int]  # per function
    dispatches_per_layer: dict[str, int]  # "decode", "embed", ...: the most one layer takes
    bytes_per_token: int | None  # of weights, that a step of decode reads
    kernels: int
    max_storage_buffers_per_stage: int  # the most one kernel takes
    max_workgroup_bytes: int
    max_invocations: int
    max_workgroups_per_dimension: int
    max_binding_bytes: int
    max_buffer_bytes: int
    weight_bytes: int
    scratch_bytes: int  # inputs and outputs included
    state_bytes: int
    kernel_text_bytes: int
    kernel_text_gzip_bytes: int


def facts(bundle: Bundle) -> dict[str, Any]:
    """What `inspect --json` prints."""
    manifest = bundle.manifest
    return {
        "name": manifest.name,
        "architecture": manifest.architecture,
        "source": manifest.source,
        "parameters": manifest.parameters,
        "vocabulary": manifest.vocabulary,
        "context": manifest.context,
        "default_context": manifest.default_context,
        "bits_per_weight": manifest.bits_per_weight,
        "card": asdict(manifest.card),
        "quantization": cards.quantization(manifest.tensors, manifest.card),
        "files": len(manifest.files),
        "file_bytes": sum(entry.bytes for entry in manifest.files.values()),
        "notes": manifest.notes,
        "embedding": manifest.embedding and asdict(manifest.embedding),
        "variants": {name: asdict(variant_facts(bundle, name)) for name in manifest.variants},
    }


def variant_facts(bundle: Bundle, name: str) -> VariantFacts:
    variant, plan = bundle.manifest.variants[name], bundle.plans[name]
    sizes = [_size(buffer, bundle.manifest.default_context) for buffer in plan.buffers]
    text = bundle.read_kernels(variant)
    kinds: dict[str, list[Function]] = {}
    for key, function in plan.functions.items():
        kinds.setdefault(key.split("_")[0], []).append(function)
    steps = [step for function in plan.functions.values() for step in function.steps]
    return VariantFacts(
        backend=variant.backend,
        dispatches_decode=_steps(plan, "decode"),
        dispatches={key: len(function.steps) for key, function in plan.functions.items()},
        dispatches_per_layer={kind: _most_per_layer(found) for kind, found in kinds.items()},
        bytes_per_token=variant.bytes_per_token,
        kernels=len(plan.kernels),
        max_storage_buffers_per_stage=_most(len(kernel.access) for kernel in plan.kernels),
        max_workgroup_bytes=_most(kernel.workgroup_bytes for kernel in plan.kernels),
        max_invocations=_most(math.prod(kernel.workgroup) for kernel in plan.kernels),
        max_workgroups_per_dimension=_most(max(step.grid) for step in steps),
        max_binding_bytes=_most(
            binding.bytes or sizes[binding.buffer] - binding.offset
            for step in steps
            for binding in step.bindings
        ),
        max_buffer_bytes=_most(sizes),
        weight_bytes=_sum(plan, sizes, "weight"),
        scratch_bytes=_sum(plan, sizes, "scratch", "input", "output"),
        state_bytes=_sum(plan, sizes, "state"),
        kernel_text_bytes=len(text),
        kernel_text_gzip_bytes=len(gzip.compress(text, mtime=0)),
    )


def readable(bundle: Bundle) -> RenderableType:
    """The same figures as a table with one column per variant."""
    known = facts(bundle)
    head = Text(known["name"], style="bold")
    head.append(f"  {known['architecture']}, {known['source']}\n", style="dim")
    head.append(
        f"{known['parameters']:,} parameters, {known['bits_per_weight']:.2f} bits per weight, "
        f"{size(known['file_bytes'])} in {known['files']} files\n"
        f"{_purpose(bundle.manifest)}, vocabulary {known['vocabulary']:,}"
    )
    table = Table("", *known["variants"], box=None, pad_edge=False)
    columns = list(known["variants"].values())
    for key in VariantFacts.__dataclass_fields__:
        table.add_row(key.replace("_", " "), *(_cell(key, column[key]) for column in columns))
    card = Table(show_header=False, box=None, pad_edge=False)
    for label, words in cards.rows(bundle.manifest):
        card.add_row(label, Text(words))
    notes = [Text(f"note: {note}") for note in known["notes"]]
    return Group(head, card, Text(), table, *notes)


def _purpose(manifest: Manifest) -> str:
    embedding = manifest.embedding
    if embedding is None:
        return f"context {manifest.default_context:,} of {manifest.context:,} tokens"
    pooling = " and ".join(embedding.pooling) + (", normalised" if embedding.normalised else "")
    return (
        f"turns texts of up to {embedding.limit:,} tokens into {embedding.dimensions} numbers "
        f"({pooling})"
    )


def size(count: int) -> str:
    """Bytes for people, in decimal units as disks and networks use them."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def _steps(plan: Plan, function: str) -> int | None:
    known = plan.functions.get(function)
    return None if known is None else len(known.steps)


def _cell(key: str, value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items())
    if isinstance(value, int):
        of_bytes = key.endswith("_bytes") or key.startswith("bytes_")
        return size(value) if of_bytes else f"{value:,}"
    return str(value)


def _size(buffer: Buffer, context: int) -> int:
    return buffer.bytes + buffer.bytes_per_token * context


def _sum(plan: Plan, sizes: list[int], *kinds: str) -> int:
    pairs = zip(plan.buffers, sizes, strict=True)
    return sum(size for buffer, size in pairs if buffer.kind in kinds)


def _most(values: Iterable[int]) -> int:
    return max(values, default=0)


def _most_per_layer(functions: Iterable[Function]) -> int:
    return _most(
        _most(Counter(step.layer for step in function.steps if step.layer is not None).values())
        for function in functions
    )
