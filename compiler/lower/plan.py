"""Listings to a plan: buffers, and steps that index them and a table of kernels."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from compiler.bundle.schema import (
    CONTROL_SLOTS,
    FORMAT,
    SAMPLING_SLOTS,
    Binding,
    Buffer,
    Function,
    Plan,
    Span,
    Step,
)
from compiler.kernels.dsl import KernelFunction
from compiler.kernels.specs import CacheShape
from compiler.lower.kernel_files import KernelFiles
from compiler.lower.launches import Launch, Listing, Value
from compiler.lower.memory import Slot, plan_scratch


@dataclass(frozen=True)
class PackedTensor:
    """Size and parts of a weight as stored."""

    bytes: int
    parts: dict[str, Span]


def kernels_of(listings: Iterable[Listing]) -> list[KernelFunction]:
    """Every kernel that is launched, once."""
    return list(dict.fromkeys(x.kernel for listing in listings for x in listing.launches))


def write_plan(
    name: str,
    listings: Mapping[str, Listing],
    kernels: KernelFiles,
    caches: Mapping[int, CacheShape],
    tensors: Mapping[str, PackedTensor],
    vocabulary: int,
) -> Plan:
    """The plan `name` from the launches of its functions and the table of their kernels."""
    values = [v for one in listings.values() for x in one.launches for v in x.values]
    used = {value.name for value in values}
    kept = {v.name: v.bytes for v in values if v.kind == "state" and v.bytes}
    weights = {tensor: packed for tensor, packed in tensors.items() if tensor in used}
    outputs = {key: v.bytes for one in listings.values() for key, v in one.outputs.items()}
    embeds = all(name.startswith("embed_") for name in listings)  # and samples nothing
    state = [b for b in _state_buffers(caches, vocabulary) if b.name in used or not embeds]
    state += [Buffer(n, "state", size, 0) for n, size in sorted(kept.items())]
    buffers = _Buffers(state, weights, outputs)
    functions = {}
    for function, listing in listings.items():
        buffers.begin(listing)
        steps = []
        for launch, layer in zip(listing.launches, _layers(listing.launches), strict=True):
            index = kernels.index[launch.kernel]
            by_name = dict(zip(launch.kernel.arguments, launch.values, strict=True))
            bindings = [buffers.binding(by_name[name]) for name in kernels.arguments[index]]
            kernel = launch.kernel
            rows_axis = kernel.rows_axis if launch.by_token else None
            steps.append(Step(index, list(kernel.grid), bindings, layer, rows_axis))
        outputs = {key: buffers.index(value) for key, value in listing.outputs.items()}
        functions[function] = Function(listing.rows, outputs, steps)
    return Plan(FORMAT, name, bool(kept), buffers.table(), kernels.kernels, functions)


def bytes_read(listing: Listing, tensors: Mapping[str, PackedTensor]) -> int:
    """Bytes of weights that a function of one row reads; what steps share they read anew."""

    def size(value: Value) -> int:
        return tensors[value.name].parts[value.part].bytes if value.kind == "weight" else 0

    return sum(
        math.ceil(launch.reads * sum(size(value) for value in launch.values))
        for launch in listing.launches
    )


class _Buffers:
    """The plan's buffer table: state, weights, outputs, then scratch shared by all functions."""

    def __init__(
        self,
        state: list[Buffer],
        tensors: Mapping[str, PackedTensor],
        outputs: Mapping[str, int],
    ) -> None:
        self._tensors = tensors
        self._fixed = list(state)
        self._fixed += [Buffer(n, "weight", t.bytes, 0) for n, t in tensors.items()]
        self._fixed += [Buffer(n, "output", size, 0) for n, size in outputs.items()]
        self._index = {buffer.name: i for i, buffer in enumerate(self._fixed)}
        self._slots: list[Slot] = []
        self._assigned: dict[str, int] = {}
        self._outputs: dict[str, str] = {}

    def begin(self, listing: Listing) -> None:
        """Places the scratch values of the next function."""
        self._assigned = plan_scratch(listing, self._slots)
        self._outputs = {value.name: name for name, value in listing.outputs.items()}

    def index(self, value: Value) -> int:
        if value.kind != "scratch":
            return self._index[value.name]
        if value.name in self._outputs:
            return self._index[self._outputs[value.name]]
        return len(self._fixed) + self._assigned[value.name]

    def binding(self, value: Value) -> Binding:
        if value.kind == "weight":
            part = self._tensors[value.name].parts[value.part]
            return Binding(self.index(value), part.offset, part.bytes)
        return Binding(self.index(value), value.offset, value.bytes if value.offset else 0)

    def table(self) -> list[Buffer]:
        scratch = [
            Buffer(f"scratch.{i}", "scratch", slot.bytes, 0) for i, slot in enumerate(self._slots)
        ]
        return [*self._fixed, *scratch]


def _state_buffers(caches: Mapping[int, CacheShape], vocabulary: int) -> list[Buffer]:
    fixed = [
        Buffer("control", "state", CONTROL_SLOTS * 4, 0),
        Buffer("tokens", "state", 4, 4),
        Buffer("sampling", "state", SAMPLING_SLOTS * 4, 0),
        Buffer("counts", "state", vocabulary * 4, 0),
    ]
    layers = [
        Buffer(f"kv.{layer}", "state", 0, shape.bytes_per_token)
        for layer, shape in sorted(caches.items())
    ]
    return [*fixed, *layers]


def _layers(launches: Sequence[Launch]) -> list[int | None]:
    """The decoder layer of each launch: its own, or read off its weights' names ("layers.3.").

    A matrix says more than the vectors beside it: norms may be those of the layer before.
    A launch with neither belongs to the layer of the next one that has; what comes before the
    first layer's weights and after the last one's is in no layer.
    """
    known: list[int | None] = []
    for launch in launches:
        matrices = [v for v in launch.values if v.part == "codes"]
        numbers = [m.group(1) for v in matrices or launch.values if (m := _LAYER.search(v.name))]
        known.append(launch.layer if launch.layer is not None else _first_int(numbers))
    labelled = [i for i, layer in enumerate(known) if layer is not None]
    if not labelled:
        return known
    for index in range(labelled[-1], labelled[0], -1):
        if known[index] is None:
            known[index] = known[index + 1]
    return known


def _first_int(numbers: Sequence[str]) -> int | None:
    return int(numbers[0]) if numbers else None


_LAYER = re.compile(r"\.(\d+)\.")
