"""Memory that a CPU kernel takes for itself, on its stack or in the workspace."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.wasm import Wasm
from tests.unit.lower.kernels import cpu_through_workspace


@pytest.mark.parametrize("sizes", [(255,), (256,), (257,), (3, 255), (300, 255, 700, 256)])
def test_calls_stay_inside_the_workspace(wasm: Wasm, sizes: tuple[int, ...]) -> None:
    """Each share is a call: were memory not given back, the second would go beyond."""
    x = np.arange(8, dtype=np.float32)
    kernel = cpu_through_workspace(*sizes)
    got = wasm.run(kernel, {"x": x, "out": np.zeros_like(x)})["out"]
    # All of them whole numbers below 2^24.
    assert got.tolist() == [sum(n * v + n * (n - 1) / 2 for n in sizes) for v in range(8)]
