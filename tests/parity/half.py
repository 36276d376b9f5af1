"""What half precision may change, and where it runs at all."""

from __future__ import annotations

import pytest

from compiler.lower.targets import TARGETS
from tests.support.exchange import Array
from web.verify import BrowserEngine

# Of logits of size 5. Products of 11 bits are off by 1.3 x 2^-10 of their size (tests/kernels/
# test_linear.py); eight of them in a row and attention's weights, exponentials of such numbers,
# came to 0.05 at worst in Llama, 0.02 in others. Twice that.
HALF_TOLERANCE = 0.1


def assert_greedy(got: list[int], expected: list[int], logits: Array) -> None:
    """Where tokens part, PyTorch must have had both in mind: its logits along `expected` are closer
    than errors can make up for."""
    assert len(got) == len(expected)
    parted = next(
        (i for i, pair in enumerate(zip(got, expected, strict=True)) if len({*pair}) > 1), None
    )
    if parted is not None:
        row = logits[parted]
        margin = row[expected[parted]] - row[got[parted]]
        assert margin <= 2 * HALF_TOLERANCE * max(1, abs(row[expected[parted]]))


def skip_unless_offered(engine: BrowserEngine, variant: str) -> None:
    """Skips a test of a WebGPU variant that this machine's graphics adapter cannot run."""
    needed = [
        one.variants[variant]
        for one in TARGETS
        if one.backend == "webgpu" and variant in one.variants
    ]
    if needed and (lacking := engine.lacks(needed[0])):
        pytest.skip(f"the graphics adapter lacks {', '.join(lacking)}")
