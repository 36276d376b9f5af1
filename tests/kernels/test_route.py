"""Rows sorted by expert, against NumPy's stable sort."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.bundle.schema import CONTROL_SLOTS, Control
from compiler.kernels.gpu.route import route
from compiler.kernels.specs import Routing
from tests.kernels.routes import order_of
from tests.support.gpu import Gpu


@pytest.mark.parametrize("experts", [2, 5, 300])
@pytest.mark.parametrize("tokens", [0, 3, 128])
def test_rows_by_expert(gpu: Gpu, experts: int, tokens: int) -> None:
    """Two rows of each of 128 tokens, of which some are real; no expert is used but every third."""
    routing = Routing(256, experts, 8)
    chosen = np.random.default_rng(1).integers(0, experts, 256).astype(np.int32) // 3 * 3
    control = np.zeros(CONTROL_SLOTS, np.int32)
    control[Control.COUNT] = tokens
    empty = np.full(routing.size, -1, np.int32)
    arrays = {"experts": chosen, "control": control, "order": empty}
    got = gpu.run(route(routing, 128), arrays)["order"]
    np.testing.assert_array_equal(got, order_of(routing, chosen, 2 * tokens))


def test_all_rows_for_the_last_expert(gpu: Gpu) -> None:
    routing = Routing(40, 4, 8)
    control = np.zeros(CONTROL_SLOTS, np.int32)
    control[Control.COUNT] = 40
    chosen = np.full(40, 3, np.int32)
    arrays = {"experts": chosen, "control": control, "order": np.full(routing.size, -1, np.int32)}
    got = gpu.run(route(routing, 40), arrays)["order"]
    np.testing.assert_array_equal(got, order_of(routing, chosen))
