"""Rows of a prompt are sorted by expert once for all products of a layer; a token's own are not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compiler.kernels.gpu.route import routing
from compiler.kernels.specs import Linear, Routing
from compiler.lower import targets
from compiler.lower.launches import Launch, Value
from compiler.lower.tensors import Store
from compiler.programs import legal_graphs, lower, trace_functions
from compiler.progress import SilentProgress
from compiler.quantize import schemes
from compiler.subject import open_subject
from tests.bench.gpu.shapes import Shapes
from tests.unit.checkpoint import tiny


@pytest.mark.slow
def test_one_order_for_both_products() -> None:
    config = tiny.mixtral()
    config.num_hidden_layers = 2  # of the last layer a prompt needs nothing but keys and values
    subject = open_subject(Shapes("mixtral", config))
    store = Store(subject.coded("f32"))
    graphs = trace_functions(subject, store.coding, [targets.WEBGPU], SilentProgress())
    legal = legal_graphs(graphs, targets.WEBGPU)
    listings = lower(legal, targets.WEBGPU, subject.limits, store).listings
    prefill, decode = (listings[name].launches for name in ("prefill_128", "decode"))
    (sort,) = [launch for launch in prefill if launch.kernel.name.startswith("route")]
    products = [x for x in prefill if x is not sort and "order" in x.kernel.arguments]
    assert [_given(x, "order") for x in products] == [_given(sort, "order")] * 2
    assert [x.kernel.rows_axis for x in products] == [None, None]
    assert not any("order" in x.kernel.arguments for x in decode)


def _given(launch: Launch, name: str) -> Value:
    return launch.values[launch.kernel.arguments.index(name)]


@pytest.mark.parametrize(
    ("rows", "tile"), [(2, None), (31, None), (32, 4), (127, 4), (128, 8), (1024, 8)]
)
def test_tiles_by_how_many_rows_an_expert_has(rows: int, tile: int | None) -> None:
    spec = Linear(rows, 64, 64, schemes.Q4_MIN, experts=8)
    found = routing(spec)
    assert (found and found.tile) == tile
    assert routing(replace(spec, experts=0)) is None


def test_room_for_the_worst_division_into_tiles() -> None:
    """One row for each of three experts and the rest for the fourth: 3 + 10 tiles of 4."""
    assert Routing(rows=40, experts=4, tile=4).tiles == 3 + 10
    assert Routing(rows=2, experts=4, tile=4).tiles == 2
