"""Rows with experts, brought together by expert, so that those of one share what is read of it.

`route` sorts the rows of a prompt's chunk by expert and cuts those of each expert into tiles; the
workgroups of a product (linear.py) take a tile each. The order is that of the rows within each
expert: nothing depends on which invocation comes first, and there are no atomics.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from tvm import tirx

from compiler.bundle.schema import CONTROL_SLOTS, Control
from compiler.kernels.dsl import Expr, KernelFunction, ceil_div, i32, let, loop, select, store, when
from compiler.kernels.gpu.activations import Direct
from compiler.kernels.gpu.dsl import Builder, finished, kernel
from compiler.kernels.specs import TILE_FIELDS, Linear, Routing

THREADS = 256
FEW, MANY = 4, 16  # rows of an expert, on average


def routing(spec: Linear) -> Routing | None:
    """How the rows of a layer are brought together: not where few would share an expert."""
    each = spec.rows // spec.experts if spec.experts > 1 else 0
    if each < FEW:
        return None
    # Every expert's last tile is half full on average: with short ones less of it is in vain.
    return Routing(spec.rows, spec.experts, FEW if each < MANY else 2 * FEW)


@cache
def route(spec: Routing, tokens: int) -> KernelFunction:
    """experts (rows,) -> order (size,), control: rows of `tokens` tokens, padding left out."""
    with kernel(f"route_{spec.rows}_to_{spec.experts}") as k:
        experts = k.buffer("experts", (spec.rows,), "int32")
        order = k.buffer("order", (spec.size,), "int32", write=True)
        control = k.buffer("control", (CONTROL_SLOTS,), "int32")
        _, (thread,) = k.launch((1,), (THREADS,))
        _Sort(k, spec, experts, order, thread).write(
            let(tirx.min(control[Control.COUNT], tokens) * (spec.rows // tokens))
        )
    return finished(k)


class _Sort:
    """A counting sort by one workgroup: counts, then where each expert begins, then places."""

    def __init__(self, k: Builder, spec: Routing, experts: Expr, order: Expr, thread: Expr) -> None:
        self.k, self.spec, self.thread = k, spec, thread
        self.experts, self.order = experts, order
        self.counts = k.shared(spec.experts, "int32")
        self.places = k.shared(spec.experts, "int32")  # where each expert's rows begin
        self.tiles = k.shared(spec.experts + 1, "int32")  # where its tiles do

    def write(self, real: Expr) -> None:
        """Of the rows, so many are `real`."""
        with self._share(self.spec.experts) as expert:
            store(self.counts, self._before(real, expert), expert)
        with self._share(self.spec.experts + 1) as expert:
            self._begin(expert)
        with self._share(self.spec.rows) as row, when(row < real):
            own = let(self._expert(row))
            store(self.order, row, self.places[own] + self._before(row, own))
        used = self._kept(self.tiles[self.spec.experts])
        with self._share(self.spec.tiles) as tile, when(tile >= used):
            self._tile(tile, i32(0), i32(0), i32(0))  # nothing to do
        with self._share(self.spec.experts) as expert:
            self._tiles(expert)

    @contextmanager
    def _share(self, count: int) -> Iterator[Expr]:
        """This invocation's share of so many things."""
        with loop(ceil_div(count, THREADS)) as step:
            index = step * THREADS + self.thread
            with when(index < count):
                yield index

    def _expert(self, row: Expr) -> Expr:
        return tirx.max(tirx.min(self.experts[row], self.spec.experts - 1), 0)

    def _before(self, end: Expr, expert: Expr) -> Expr:
        """How many rows before `end` are the expert's."""
        total = self.k.local(1, "int32")
        store(total, i32(0), 0)
        with loop(end) as row:
            store(total, total[0] + select(self._expert(row) == expert, i32(1), i32(0)), 0)
        return total[0]

    def _begin(self, expert: Expr) -> None:
        place, tile = self.k.local(1, "int32"), self.k.local(1, "int32")
        store(place, i32(0), 0)
        store(tile, i32(0), 0)
        with loop(expert) as other:
            count = let(self.counts[other])
            store(place, place[0] + count, 0)
            store(tile, tile[0] + (count + (self.spec.tile - 1)) // self.spec.tile, 0)
        with when(expert < self.spec.experts):
            store(self.places, place[0], expert)
        store(self.tiles, tile[0], expert)

    def _tiles(self, expert: Expr) -> None:
        first, place = self._kept(self.tiles[expert]), self._kept(self.places[expert])
        count, size = self._kept(self.counts[expert]), self.spec.tile
        with loop((count + (size - 1)) // size) as tile:
            done = tile * size
            self._tile(first + tile, expert, place + done, tirx.min(count - done, size))

    def _kept(self, value: Expr) -> Expr:
        """In a register: TVM places no barriers for conditions and extents that read memory."""
        kept = self.k.local(1, "int32")
        store(kept, value, 0)
        return kept[0]

    def _tile(self, tile: Expr, *fields: Expr) -> None:
        for index, value in enumerate(fields):
            store(self.order, value, self.spec.rows + tile * TILE_FIELDS + index)


class Gathered(Direct):
    """Activations of a tile's rows."""

    def __init__(self, k: Builder, spec: Linear, routed: Routing) -> None:
        super().__init__(k, spec)
        self.routed = routed
        self.order = k.buffer("order", (routed.size,), "int32")

    def open(self, tile: Expr) -> None:
        """Reads what the tile is."""
        first = self.routed.rows + tile * TILE_FIELDS
        self.expert, place, self.count = (let(self.order[first + i]) for i in range(TILE_FIELDS))
        last = tirx.max(self.count - 1, 0)
        self.rows = [let(self.order[place + tirx.min(i, last)]) for i in range(self.routed.tile)]

    def row(self, i: int) -> Expr:
        return self.rows[i] // self.spec.shared
