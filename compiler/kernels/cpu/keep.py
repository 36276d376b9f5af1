"""What a recurrent layer keeps for the next token, on a CPU."""

from __future__ import annotations

from functools import cache

from tvm import tirx

from compiler.bundle.schema import CONTROL_SLOTS, Control
from compiler.kernels.cpu.dsl import finished, kernel
from compiler.kernels.dsl import KernelFunction, ceil_div, loop, store, when

ITEM = 4096  # values: enough to be worth a thread's while


@cache
def keep(size: int) -> KernelFunction:
    """value (size,), control -> state (size,), as it was if the answer has ended: steps that are
    queued past its end take no token. An item is `ITEM` values."""
    with kernel(f"keep_{size}") as k:
        value = k.buffer("value", (size,), "float32")
        control = k.buffer("control", (CONTROL_SLOTS,), "int32")
        state = k.buffer("state", (size,), "float32", write=True)
        with k.call(), k.items(ceil_div(size, ITEM)) as item, when(control[Control.DONE] == 0):
            first = item * ITEM
            with loop(tirx.min(ITEM, size - first)) as index:
                store(state, value[first + index], first + index)
    return finished(k)
