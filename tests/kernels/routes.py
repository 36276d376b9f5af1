"""The order of rows by expert, in the plainest form."""

from __future__ import annotations

import numpy as np

from compiler.kernels.specs import Routing
from tests.support.exchange import Array


def order_of(routing: Routing, chosen: Array, real: int | None = None) -> Array:
    """What `route` has to write for the first `real` rows: their numbers by expert, then the tiles;
    -1 in places that nobody reads."""
    real = routing.rows if real is None else real
    rows = np.argsort(chosen[:real], kind="stable")
    tiles: list[tuple[int, int, int]] = []
    for expert in range(routing.experts):
        places = np.flatnonzero(chosen[:real][rows] == expert)
        for start in range(0, len(places), routing.tile):
            own = places[start : start + routing.tile]
            tiles.append((expert, int(own[0]), len(own)))
    assert len(tiles) <= routing.tiles
    tiles += [(0, 0, 0)] * (routing.tiles - len(tiles))
    padding = np.full(routing.rows - real, -1)
    return np.concatenate([rows, padding, np.ravel(tiles)]).astype(np.int32)
