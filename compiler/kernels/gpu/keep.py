"""What a recurrent layer keeps for the next token."""

from __future__ import annotations

from functools import cache

from compiler.bundle.schema import CONTROL_SLOTS, Control
from compiler.kernels.dsl import KernelFunction, both, ceil_div, store, when
from compiler.kernels.gpu.dsl import finished, kernel

THREADS = 64


@cache
def keep(size: int) -> KernelFunction:
    """value (size,), control -> state (size,), as it was if the answer has ended: steps that are
    queued past its end take no token."""
    lanes = 1 if size % 4 else 4
    dtype = "float32" if lanes == 1 else "float32x4"
    with kernel(f"keep_{size}") as k:
        value = k.buffer("value", (size // lanes,), dtype)
        control = k.buffer("control", (CONTROL_SLOTS,), "int32")
        state = k.buffer("state", (size // lanes,), dtype, write=True)
        (block,), (thread,) = k.launch((ceil_div(size // lanes, THREADS),), (THREADS,))
        index = block * THREADS + thread
        with when(both(index < size // lanes, control[Control.DONE] == 0)):
            store(state, value[index], index)
    return finished(k)
