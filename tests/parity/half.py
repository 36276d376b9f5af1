"""What half precision may change, and where it runs at all."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.lower.targets import TARGETS
from tests.support.gpu import Array
from web.verify import BrowserEngine

# Of logits of size 5. Products of 11 bits are off by 1.3 x 2^-10 of their size (tests/kernels/
# test_linear.py); eight of them in a row and attention's weights, exponentials of such numbers,
# came to 0.05 at worst in Llama, 0.02 in others. Twice that.
HALF_TOLERANCE = 0.1


def certain_tokens(logits: Array) -> int:
    """How many leading tokens are greedy by more than errors can make up for."""
    second, first = np.sort(logits, axis=-1)[:, -2:].T
    close = first - second <= 2 * HALF_TOLERANCE * np.maximum(1, np.abs(first))
    return int(np.argmax(close)) if close.any() else len(logits)


def skip_unless_offered(engine: BrowserEngine, variant: str) -> None:
    """Skips a test of a WebGPU variant that this machine's graphics adapter cannot run."""
    needed = [
        one.variants[variant]
        for one in TARGETS
        if one.backend == "webgpu" and variant in one.variants
    ]
    if needed and (lacking := engine.lacks(needed[0])):
        pytest.skip(f"the graphics adapter lacks {', '.join(lacking)}")
