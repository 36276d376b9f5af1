"""What a recurrent layer keeps."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.bundle.schema import CONTROL_SLOTS, Control
from tests.support.gpu import Gpu
from tests.support.wasm import Wasm


@pytest.mark.parametrize("size", [8, 4099, 8192])
@pytest.mark.parametrize("done", [0, 1])
def test_keep(machine: Gpu | Wasm, size: int, done: int) -> None:
    control = np.zeros(CONTROL_SLOTS, np.int32)
    control[Control.DONE] = done
    random = np.random.default_rng(5)
    value, before = random.standard_normal((2, size)).astype(np.float32)
    buffers = {"value": value, "control": control, "state": before}
    after = machine.run(machine.kernels.keep(size), buffers)["state"]
    np.testing.assert_array_equal(after, before if done else value)
