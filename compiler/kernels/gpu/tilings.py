"""How products are tiled: winners that `compile-model tune` measured, by adapter vendor and
kernel shape (tilings.json beside this file), and defaults where nothing was measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import astuple
from functools import cache
from pathlib import Path
from typing import TypeAlias

from compiler.kernels.gpu import linear, project
from compiler.kernels.gpu.product import Tiling
from compiler.kernels.specs import Linear, ProjectAppend

Tiled: TypeAlias = Linear | ProjectAppend
Table: TypeAlias = Mapping[str, Mapping[str, Tiling]]  # vendor, name of the shape

FILE = Path(__file__).with_name("tilings.json")
MOST_INVOCATIONS = 256
MOST_SUMS = 128  # of one invocation: registers run out beyond


def default(spec: Tiled) -> Tiling:
    """A sensible tiling on any GPU."""
    if isinstance(spec, Linear):
        return linear.default_tiling(spec)
    return project.default_tiling(spec)


def choose(spec: Tiled, vendor: str | None) -> Tiling:
    """The tiling of a kernel for adapters of `vendor`; None: for any."""
    return measured().get(vendor or "", {}).get(spec.name) or default(spec)


@cache
def measured(file: Path = FILE) -> Table:
    """The table, by the vendor's name as WebGPU's `adapter.info.vendor` gives it."""
    vendors = json.loads(file.read_text())
    return {
        vendor: {name: Tiling(*numbers) for name, numbers in shapes.items()}
        for vendor, shapes in vendors.items()
    }


def write(table: Table, file: Path = FILE) -> None:
    """A line per shape, in order, so that changes can be read."""
    vendors = []
    for vendor, shapes in sorted((v, s) for v, s in table.items() if s):
        lines = [
            f"    {json.dumps(n)}: {json.dumps(astuple(t))}" for n, t in sorted(shapes.items())
        ]
        vendors.append(f"  {json.dumps(vendor)}: {{\n" + ",\n".join(lines) + "\n  }")
    file.write_text("{\n" + "".join(f"{v}\n" for v in [",\n".join(vendors)] if v) + "}\n")
    measured.cache_clear()


def candidates(spec: Tiled) -> Iterator[Tiling]:
    """The default, then every other tiling worth a measurement."""
    yield default(spec)
    product = spec if isinstance(spec, Linear) else spec.linear
    rows = (1,) if product.rows == 1 else (4, 8, 16)
    splits = (1, 2, 4, 8) if product.rows == 1 else (1,)
    found = (
        Tiling(r, width, split, outputs)
        for r in rows
        for width in _widths(spec)
        for split in splits
        for outputs in (1, 2, 4, 8)
    )
    yield from (t for t in found if t != default(spec) and _makes_sense(spec, product, t))


def _widths(spec: Tiled) -> list[int]:
    """Invocations side by side; whole heads where a workgroup norms them."""
    if isinstance(spec, ProjectAppend) and spec.append.normed:
        pairs = spec.append.cache.depth // 2
        return [n * pairs for n in (1, 2, 4) if n * pairs <= MOST_INVOCATIONS]
    return [16, 32, 64, 128]


def _makes_sense(spec: Tiled, product: Linear, tiling: Tiling) -> bool:
    """Whether it can be built, has work for whole subgroups and leaves no invocation without."""
    if isinstance(spec, ProjectAppend):
        pairs = spec.append.cache.depth // 2
        too_many = tiling.rows * tiling.width * tiling.outputs // 2 > project.MOST_PAIRS
        if tiling.outputs % 2 or (spec.append.normed and (tiling.width % pairs or too_many)):
            return False
    return (
        16 <= tiling.threads <= MOST_INVOCATIONS
        and tiling.threads % tiling.rows == 0
        and tiling.rows * tiling.outputs * product.stacked <= MOST_SUMS
        and tiling.width * tiling.outputs <= max(64, product.width)
    )
