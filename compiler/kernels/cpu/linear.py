"""out = activation(x weight^T + bias) + residual on a CPU, weights decoded on the way.

x (M, K), weight (N, K), bias (N,), residual and out (M, N). Gated: weight (2N, K) holds the gate's
rows, then up's, and out = activation(gate) * up. An item is four neighbouring results of a row;
where N is no multiple of four the last item overlaps the one before it.

One token: codes are multiplied as they are and scaled once per group. With relaxed SIMD, 4-bit
codes stay bytes and x becomes integers (digits.py), which takes half the instructions: the fewer a
row takes, the more rows a processor has in flight to memory. Several tokens: four weight rows are
decoded into a panel that stays in the first-level cache while all tokens pass by it, two at a
time: 8 sums for 6 loads.

With experts, a few rows are done like one token, one after the other; of more, those of one expert
pass by its panel.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from tvm import tirx

from compiler.bundle.schema import CONTROL_SLOTS, Control
from compiler.kernels.cpu import weights
from compiler.kernels.cpu.activations import ACTIVATIONS
from compiler.kernels.cpu.digits import QUADS, Digits, product
from compiler.kernels.cpu.dsl import (
    LANES,
    Builder,
    Register,
    finished,
    kernel,
    lane,
    lane_sum,
    lane_sums,
    load,
    splat,
    store4,
    vector_of,
)
from compiler.kernels.dsl import Expr, KernelFunction, ceil_div, f32, let, loop, store, when
from compiler.kernels.specs import Linear

# A row's vectors lie N x 16 bytes apart, often a multiple of 4 KiB and so in one set of a
# first-level cache of 8 or 12 ways, with the scales beside them. More than about nine at a time
# push each other out: SmolLM2's gated product then takes twice as long.
TILE = 9
BLOCK = 128  # items of a block: long runs of neighbouring rows, which processors fetch ahead
TOKENS = 2  # tokens side by side in the matrix-matrix product
ALONE = 16  # rows with experts, at most, of which few would share one: those of one token


@cache
def linear(spec: Linear) -> KernelFunction:
    """Arguments: x, experts (if there are any), codes, scales (quantized), bias, residual (where
    present), out; for several rows without experts control, whose COUNT says how many are real."""
    if spec.rows > (ALONE if spec.experts else 1):
        return _build(spec, _Experts if spec.experts else _Matrix)
    plain = _build(spec, _Routed if spec.experts else _Vector)
    if spec.scheme.bits != 4:
        return plain
    integers = _RoutedIntegers if spec.experts else _Integers
    return replace(plain, relaxed=_build(spec, integers).function)


def _build(spec: Linear, product: type[_Body]) -> KernelFunction:
    with kernel(spec.name) as k:
        body = product(k, spec)
        with k.call():
            body.prepare()
            body.run(ceil_div(spec.width, LANES))
    return finished(k)


class _Body:
    """Operands and what both products share."""

    def __init__(self, k: Builder, spec: Linear) -> None:
        self.k, self.spec = k, spec
        self.x = k.buffer("x", (spec.inputs, spec.columns), "float32")
        self.experts = k.buffer("experts", (spec.rows,), "int32") if spec.experts else None
        self.weight = weights.declare(k, spec.scheme, spec.weight_rows, spec.columns)
        self.bias = k.buffer("bias", (spec.stacked * spec.width,), "float32") if spec.bias else None
        out = (spec.rows, spec.width)
        self.residual = k.buffer("residual", out, "float32") if spec.residual else None
        self.out = k.buffer("out", out, "float32", write=True)
        if spec.rows > 1 and not spec.experts:
            self.control = k.buffer("control", (CONTROL_SLOTS,), "int32")
        self.padded = self.weight.units * self.weight.unit_width

    def prepare(self) -> None:
        """Statements before the items."""

    def run(self, items: int) -> None:
        """This call's share of so many items."""
        raise NotImplementedError

    def first(self, item: Expr) -> Expr:
        """The first result of an item."""
        return let(tirx.max(tirx.min(item * LANES, self.spec.width - LANES), 0))

    def row(self, n: Expr, stack: int, i: int) -> Expr:
        """Weight row of result n + i; the last one again where there is none."""
        row = n + i if self.spec.width >= LANES else tirx.min(n + i, self.spec.width - 1)
        return row + stack * self.spec.width

    def x_quad(self, m: Expr, quad: int | Expr) -> Expr:
        return load(self.x, m, quad * LANES)

    def x_tail(self, m: Expr) -> Expr:
        """The values of x after the last whole quad, zeros behind them."""
        start = self.spec.columns // LANES * LANES
        inside = range(start, self.spec.columns)
        values = [self.x[m, i] for i in inside]
        return vector_of([*values, *[f32(0)] * (LANES - len(values))])

    def finish(self, m: Expr, n: Expr, sums: list[Expr]) -> None:
        """Bias, activation, gate and residual, in the order PyTorch applies them."""
        parts = []
        for stack, value in enumerate(sums):
            if self.bias is not None:
                value = value + self._four(self.bias, self.row(n, stack, 0))
            parts.append(let(value))
        value = ACTIVATIONS[self.spec.activation](parts[0])
        if self.spec.gated:
            value = value * parts[1]
        if self.residual is not None:
            value = value + self._four(self.residual, m, n)
        self._write(let(value), m, n)

    def _four(self, buffer: Expr, *index: Expr) -> Expr:
        if self.spec.width >= LANES:
            return load(buffer, *index)
        *outer, first = index
        last = self.spec.width - 1
        return vector_of([buffer[(*outer, first + min(i, last))] for i in range(LANES)])

    def _write(self, value: Expr, m: Expr, n: Expr) -> None:
        if self.spec.width >= LANES:
            store4(self.out, value, m, n)
            return
        for i in range(self.spec.width):
            store(self.out, lane(value, i), m, n + i)


class _Vector(_Body):
    """One token. x is staged in coded order, times the factors of the codes, with the sum of each
    group beside it, which the group's offset is multiplied with."""

    m: Expr = 0  # the row of the result that is worked on

    def allocate(self) -> None:
        """Workspaces for x."""
        self.staged = self.k.workspace((self.padded,))

    def prepare(self) -> None:
        self.allocate()
        if self.weight.has_offset:
            self.group_sums = self.k.workspace((self.weight.units,))
        self.stage(0)

    def stage(self, x: Expr) -> None:
        """Makes a row of x ready."""
        weight = self.weight
        whole = self.spec.columns // weight.unit_width
        with loop(whole) as unit:
            first = unit * (weight.unit_width // LANES)
            quads = [let(self.x_quad(x, first + q)) for q in range(weight.unit_width // LANES)]
            self._stage(unit, quads)
        if whole < weight.units:
            self._stage(whole, self._last_quads(x))

    def _last_quads(self, x: Expr) -> list[Expr]:
        first = self.spec.columns // self.weight.unit_width * self.weight.unit_width // LANES
        end = self.spec.columns // LANES
        quads = [let(self.x_quad(x, quad)) for quad in range(first, end)]
        if self.spec.columns % LANES:
            quads.append(let(self.x_tail(x)))
        return quads + [splat(0.0)] * (self.weight.unit_width // LANES - len(quads))

    def _stage(self, unit: Expr, quads: list[Expr]) -> None:
        if self.weight.has_offset:
            store(self.group_sums, lane_sum(_total(quads)), unit)
        pairs = zip(self.weight.reorder(quads), self.weight.factors, strict=True)
        for index, (quad, factor) in enumerate(pairs):
            value = quad * splat(factor) if factor != 1 else quad
            store4(self.staged, value, unit * self.weight.unit_width + index * LANES)

    def run(self, items: int) -> None:
        """A tile of columns at a time for a block of items, one stacked weight after the other:
        few runs through memory side by side, and long ones."""
        tiles = ceil_div(self.weight.units, max(1, TILE // self.weight.unit_vectors))
        count = ceil_div(self.weight.units, tiles)  # of units in a tile
        stacked = self.spec.stacked
        sums = self.k.workspace((stacked * BLOCK, LANES))
        with self.k.blocks(items, BLOCK) as (first, size):
            with loop(stacked * BLOCK) as index:
                store4(sums, splat(0.0), index, 0)
            for stack in range(stacked):
                with loop(tiles) as tile, loop(size) as i:
                    begin = let(tile * count)
                    units = let(tirx.min(count, self.weight.units - begin))
                    value = self._product(self.first(first + i), stack, begin, units)
                    index = let(stack * BLOCK + i)
                    store4(sums, load(sums, index, 0) + value, index, 0)
            with loop(size) as i:
                totals = [let(load(sums, stack * BLOCK + i, 0)) for stack in range(stacked)]
                self.finish(self.m, self.first(first + i), totals)

    def _product(self, n: Expr, stack: int, begin: Expr, units: Expr) -> Expr:
        """Four rows with x, over some units: a vector of four sums."""
        sums = [self.k.register(splat(0.0)) for _ in range(LANES)]
        offsets = self.k.register(splat(0.0))
        with loop(units) as step:
            unit = let(begin + step)
            start = unit * self.weight.unit_width
            x = [
                let(load(self.staged, start + q * LANES))
                for q in range(self.weight.unit_width // LANES)
            ]
            if self.weight.scales is None:
                for i, total in enumerate(sums):
                    self._add(total, unit, self.row(n, stack, i), x)
            else:
                scale, offset = self.weight.scales4(unit, self.row(n, stack, 0))
                if offset is not None:
                    offsets.add_product(offset, splat(self.group_sums[unit]))
                for i, total in enumerate(sums):
                    group = self._group(unit, self.row(n, stack, i), x)
                    total.add_product(group, splat(lane(scale, i)))
        return let(lane_sums([total.value for total in sums]) + offsets.value)

    def _add(self, total: Register, unit: Expr, row: Expr, x: list[Expr]) -> None:
        for code, value in zip(self.weight.quads(unit, row), x, strict=True):
            total.add_product(code, value)

    def _group(self, unit: Expr, row: Expr, x: list[Expr]) -> Expr:
        """Codes times x over one group: two chains, so that additions need not wait."""
        chains = [self.k.register() for _ in range(2)]
        for index, code in enumerate(self.weight.quads(unit, row)):
            if index < len(chains):
                chains[index].set(code * x[index])
            else:
                chains[index % len(chains)].add_product(code, x[index])
        return chains[0].value + chains[1].value


class _Integers(_Vector):
    """One token, 4-bit codes: dot products of bytes, exact in integers."""

    def allocate(self) -> None:
        self.digits = Digits(self.k, self.weight.units * self.weight.unit_vectors)

    def _stage(self, unit: Expr, quads: list[Expr]) -> None:
        store(self.group_sums, lane_sum(_total(quads)), unit)
        for index, vector in enumerate(self._vectors(unit)):
            self.digits.stage(vector, quads[index * QUADS : (index + 1) * QUADS])

    def _vectors(self, unit: Expr) -> list[Expr]:
        count = self.weight.unit_vectors
        return [let(unit * count + index) for index in range(count)]

    def _product(self, n: Expr, stack: int, begin: Expr, units: Expr) -> Expr:
        # Two loops: what the second has to keep fits into sixteen registers.
        offsets = self.k.register(splat(0.0))
        with loop(units) as step:
            unit = let(begin + step)
            offset = self.weight.offsets4(unit, self.row(n, stack, 0))
            offsets.add_product(offset, splat(self.group_sums[unit]))
        sums = [self.k.register(splat(0.0)) for _ in range(LANES)]
        with loop(units) as step:
            unit = let(begin + step)
            scale = let(self.weight.half_scales4(unit, self.row(n, stack, 0)))
            for vector in self._vectors(unit):
                x = self.digits.load(vector)
                scales = let(scale * splat(self.digits.steps[vector]))
                for i, total in enumerate(sums):
                    words = let(load(self.weight.codes, vector, self.row(n, stack, i), 0))
                    total.add_product(product(words, x), splat(lane(scales, i)))
        return let(lane_sums([total.value for total in sums]) + offsets.value)


class _Routed(_Vector):
    """A few rows with experts, one after the other: nothing but their experts is read."""

    def prepare(self) -> None:
        self.allocate()
        if self.weight.has_offset:
            self.group_sums = self.k.workspace((self.weight.units,))

    def row(self, n: Expr, stack: int, i: int) -> Expr:
        return super().row(n, stack, i) + self.expert * (self.spec.stacked * self.spec.width)

    def run(self, items: int) -> None:
        assert self.experts is not None
        with loop(self.spec.rows) as m:
            self.m = m
            self.expert = let(tirx.max(tirx.min(self.experts[m], self.spec.experts - 1), 0))
            self.stage(let(m // self.spec.shared))
            super().run(items)


class _RoutedIntegers(_Routed, _Integers):
    """The same with dot products of bytes."""


class _Matrix(_Body):
    """Several tokens."""

    def prepare(self) -> None:
        rows = self.spec.stacked * LANES
        self.panel = self.k.workspace((rows, self.padded))
        self.count = let(tirx.min(self.control[Control.COUNT], self.spec.rows))

    def run(self, items: int) -> None:
        with self.k.items(items) as item:
            self._item(self.first(item))

    def _item(self, n: Expr) -> None:
        for stack in range(self.spec.stacked):
            self._fill(n, stack)
        with loop((self.count + (TOKENS - 1)) // TOKENS) as step:
            # An odd last token is done twice.
            tokens = [let(tirx.min(step * TOKENS + t, self.count - 1)) for t in range(TOKENS)]
            stacks = [self._products(tokens, stack) for stack in range(self.spec.stacked)]
            for t, token in enumerate(tokens):
                self.finish(token, n, [sums[t] for sums in stacks])

    def _fill(self, n: Expr, stack: int) -> None:
        """Decodes four weight rows."""
        with loop(self.weight.units) as unit:
            scale, offset = (
                self.weight.scales4(unit, self.row(n, stack, 0))
                if self.weight.scales is not None
                else (None, None)
            )
            for i in range(LANES):
                own = None if scale is None else let(splat(lane(scale, i)))
                base = None if offset is None else let(splat(lane(offset, i)))
                values = self.weight.values(unit, self.row(n, stack, i), own, base)
                for q, quad in enumerate(values):
                    column = unit * self.weight.unit_width + q * LANES
                    store4(self.panel, quad, stack * LANES + i, column)

    def _products(self, tokens: list[Expr], stack: int) -> list[Expr]:
        """For each token a vector of four sums."""
        sums = [[self.k.register(splat(0.0)) for _ in range(LANES)] for _ in tokens]
        whole = self.spec.columns // LANES
        with loop(whole) as quad:
            self._step(sums, stack, quad, [let(self.x_quad(m, quad)) for m in tokens])
        if self.spec.columns % LANES:
            self._step(sums, stack, whole, [let(self.x_tail(m)) for m in tokens])
        return [lane_sums([total.value for total in row]) for row in sums]

    def _step(self, sums: list[list[Register]], stack: int, quad: Expr, x: list[Expr]) -> None:
        for i in range(LANES):
            weight = let(load(self.panel, stack * LANES + i, quad * LANES))
            for t, value in enumerate(x):
                sums[t][i].add_product(weight, value)


class _Experts(_Matrix):
    """Rows with experts: four weight rows of one expert after the other meet the rows of x that
    were sent to it; those of an expert without any are not read."""

    def prepare(self) -> None:
        self.panel = self.k.workspace((self.spec.stacked * LANES, self.padded))
        self.expert: Expr = 0

    def row(self, n: Expr, stack: int, i: int) -> Expr:
        return super().row(n, stack, i) + self.expert * (self.spec.stacked * self.spec.width)

    def _item(self, n: Expr) -> None:
        with loop(self.spec.experts) as expert:
            self.expert = expert
            count = self.k.register(tirx.const(0, "int32"), "int32")
            with loop(self.spec.rows) as m:
                count.add(self._is_of(m, expert))
            with when(count.value > 0):
                for stack in range(self.spec.stacked):
                    self._fill(n, stack)
                with loop(self.spec.rows) as m, when(self._is_of(m, expert) > 0):
                    x = m // self.spec.shared
                    sums = [self._products([x], stack)[0] for stack in range(self.spec.stacked)]
                    self.finish(m, n, sums)

    def _is_of(self, m: Expr, expert: Expr) -> Expr:
        assert self.experts is not None
        return (self.experts[m] == expert).astype("int32")


def _total(quads: list[Expr]) -> Expr:
    total = quads[0]
    for quad in quads[1:]:
        total = total + quad
    return total
