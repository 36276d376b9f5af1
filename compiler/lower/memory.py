"""Scratch memory: which values of a function can share a buffer.

A value lives from the launch that writes it to the last that reads it; two values share a buffer
when their lives do not overlap. Buffers are reused between functions too, because only one runs
at a time. Each buffer is whole: WebGPU tracks usage per buffer, so a dispatch may not read one
part and write another.
"""

from __future__ import annotations

from dataclasses import dataclass

from compiler.bundle.schema import ALIGN
from compiler.lower.launches import Listing, Value


@dataclass
class Slot:
    """One scratch buffer under construction."""

    bytes: int
    free_from: int  # index of the first launch at which it may be written again


def plan_scratch(listing: Listing, slots: list[Slot]) -> dict[str, int]:
    """Assigns each scratch value of `listing` an index into `slots`, adding or growing slots.

    Best fit: the smallest free slot that is large enough, else the largest free one, grown.
    """
    lives = _lives(listing)
    for slot in slots:
        slot.free_from = 0
    assigned: dict[str, int] = {}
    for name, (value, first, last) in sorted(lives.items(), key=lambda item: item[1][1]):
        size = -(-value.bytes // ALIGN) * ALIGN
        free = [i for i, slot in enumerate(slots) if slot.free_from <= first]
        fitting = [i for i in free if slots[i].bytes >= size]
        if fitting:
            index = min(fitting, key=lambda i: slots[i].bytes)
        elif free:
            index = max(free, key=lambda i: slots[i].bytes)
        else:
            slots.append(Slot(0, 0))
            index = len(slots) - 1
        slots[index].bytes = max(slots[index].bytes, size)
        slots[index].free_from = last + 1
        assigned[name] = index
    return assigned


def _lives(listing: Listing) -> dict[str, tuple[Value, int, int]]:
    """First and last launch that touches each scratch value that is no output."""
    outputs = {value.name for value in listing.outputs.values()}
    lives: dict[str, tuple[Value, int, int]] = {}
    for index, launch in enumerate(listing.launches):
        for value in launch.values:
            if value.kind == "scratch" and value.name not in outputs:
                known, first, _ = lives.get(value.name, (value, index, index))
                whole = max(known, value, key=lambda one: one.bytes)  # some read a part of it
                lives[value.name] = (whole, first, index)
    return lives
