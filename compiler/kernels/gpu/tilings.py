"""How kernels are spread over a GPU: winners that `compile-model tune` measured, by adapter vendor
and kernel shape (tilings.json beside this file), and defaults where nothing was measured.

A choice is a row of numbers: of products a Tiling's, of attention the splits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import astuple, replace
from functools import cache
from pathlib import Path
from typing import TypeAlias

from compiler.errors import UsageError
from compiler.kernels.dsl import KernelFunction
from compiler.kernels.gpu import attend, linear, project
from compiler.kernels.gpu.product import Tiling
from compiler.kernels.gpu.splits import MOST_SHARES
from compiler.kernels.specs import Attend, Linear, ProjectAppend

Product: TypeAlias = Linear | ProjectAppend
Tiled: TypeAlias = Product | Attend
Choice: TypeAlias = tuple[int, ...]
Table: TypeAlias = Mapping[str, Mapping[str, Choice]]  # vendor, name of the shape

FILE = Path(__file__).with_name("tilings.json")
MOST_INVOCATIONS = 256
MOST_SUMS = 128  # of one invocation: registers run out beyond
MOST_APPENDED = 64  # of those that are turned and stored one by one: visitors load that text
SPLITS = (1, 2, 4, 8, 16, 32)


def name(spec: Tiled) -> str:
    """What the table calls a kernel's shape."""
    if not isinstance(spec, Attend):
        return spec.name
    window = f"_in_{spec.window}" if spec.window else ""
    return f"attend_{spec.rows}x{spec.heads}x{spec.cache.depth}_of_{spec.cache.kv_heads}{window}"


def default(spec: Tiled) -> Choice:
    """What is sensible on any GPU."""
    if isinstance(spec, Attend):
        return (attend.default_splits(spec),)
    if isinstance(spec, Linear):
        return astuple(linear.default_tiling(spec))
    return astuple(project.default_tiling(spec))


def choose(spec: Product, vendor: str | None) -> Tiling:
    """The tiling of a product for adapters of `vendor`; None: for any."""
    return Tiling(*(_measured(spec, vendor) or default(spec)))


def splits(spec: Attend, vendor: str | None) -> int:
    """How many workgroups share the positions of a head, whatever `spec.splits` says."""
    return (_measured(spec, vendor) or default(spec))[0]


def build(spec: Tiled, choice: Choice) -> KernelFunction:
    """The kernel of a shape with this choice."""
    if isinstance(spec, Attend):
        return attend.attend(replace(spec, splits=choice[0]))
    if isinstance(spec, Linear):
        return linear.linear(spec, Tiling(*choice))
    return project.project_append(spec, Tiling(*choice))


def _measured(spec: Tiled, vendor: str | None) -> Choice | None:
    return None if vendor is None else measured().get(vendor, {}).get(name(spec))


@cache
def measured(file: Path = FILE) -> Table:
    """The table, by the vendor's name as WebGPU's `adapter.info.vendor` gives it.

    Raises UsageError for a file that is none.
    """
    try:
        vendors = json.loads(file.read_text())
        return {
            vendor: {shape: _choice(numbers) for shape, numbers in shapes.items()}
            for vendor, shapes in vendors.items()
        }
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UsageError(
            f"{file} is not a table of tilings ({error}): repair or remove it"
        ) from error


def _choice(numbers: object) -> Choice:
    if not isinstance(numbers, list) or len(numbers) not in (1, 4):
        raise ValueError(f"{numbers} is no choice of 1 or 4 numbers")
    if not all(isinstance(number, int) and 1 <= number <= MOST_INVOCATIONS for number in numbers):
        raise ValueError(f"{numbers} are not all from 1 to {MOST_INVOCATIONS}")
    return tuple(numbers)


def write(table: Table, file: Path = FILE) -> None:
    """A line per shape, in order, so that changes can be read; all of the file or nothing.

    Raises UsageError where the file cannot be written.
    """
    vendors = []
    for vendor, shapes in sorted((v, s) for v, s in table.items() if s):
        lines = [f"    {json.dumps(n)}: {json.dumps(c)}" for n, c in sorted(shapes.items())]
        vendors.append(f"  {json.dumps(vendor)}: {{\n" + ",\n".join(lines) + "\n  }")
    text = "{\n" + "".join(f"{v}\n" for v in [",\n".join(vendors)] if v) + "}\n"
    whole = file.with_name(f"{file.name}.new")
    try:
        whole.write_text(text)
        whole.replace(file)
    except OSError as error:
        raise UsageError(f"--table {file} cannot be written: {error}; choose another") from error
    measured.cache_clear()


def candidates(spec: Tiled) -> Iterator[Choice]:
    """The default, then everything else worth a measurement."""
    first = default(spec)
    yield first
    others = _splits(spec) if isinstance(spec, Attend) else map(astuple, _tilings(spec))
    yield from (choice for choice in others if choice != first)


def _splits(spec: Attend) -> Iterator[Choice]:
    if spec.rows == 1:
        most = MOST_SHARES // spec.heads
        yield from ((count,) for count in SPLITS if count <= min(most, attend.MOST_SPLITS))


def _tilings(spec: Product) -> Iterator[Tiling]:
    product = spec if isinstance(spec, Linear) else spec.linear
    rows = (1,) if product.rows == 1 else [r for r in (4, 8, 16) if r <= max(4, product.rows)]
    splits = (1, 2, 4) if product.rows == 1 else (1,)
    found = (
        Tiling(r, width, split, outputs)
        for r in rows
        for width in _widths(spec)
        for split in splits
        for outputs in (1, 2, 4, 8)
    )
    yield from (tiling for tiling in found if _makes_sense(spec, product, tiling))


def _widths(spec: Product) -> list[int]:
    """Invocations side by side; whole heads where a workgroup norms them."""
    if isinstance(spec, ProjectAppend) and spec.append.normed:
        pairs = spec.append.cache.depth // 2
        return [n * pairs for n in (1, 2, 4) if n * pairs <= MOST_INVOCATIONS]
    return [16, 32, 64, 128]


def _makes_sense(spec: Product, product: Linear, tiling: Tiling) -> bool:
    """Whether it can be built, has work for whole subgroups and leaves no invocation without."""
    if isinstance(spec, ProjectAppend):
        pairs = spec.append.cache.depth // 2
        too_many = tiling.rows * tiling.width * tiling.outputs // 2 > project.MOST_PAIRS
        if tiling.outputs % 2 or (spec.append.normed and (tiling.width % pairs or too_many)):
            return False
        if tiling.rows * tiling.outputs > MOST_APPENDED:
            return False
    return (
        16 <= tiling.threads <= MOST_INVOCATIONS
        and tiling.threads % tiling.rows == 0
        and tiling.rows * tiling.outputs * product.stacked <= MOST_SUMS
        and tiling.width * tiling.outputs <= max(64, product.width)
    )
