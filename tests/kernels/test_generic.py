"""Programs that no pass recognises, lowered by TVM and run step by step, against NumPy in f64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import erf

import numpy as np
import pytest
from tvm import relax
from tvm.relax import op as R

from compiler.bundle.schema import CONTROL_SLOTS, Control
from compiler.graph.quantize import Coding
from compiler.lower.generic import legalise
from compiler.lower.launches import Launch, Listing, Value
from compiler.lower.steps import Lister, Model
from compiler.lower.tensors import Constants, Plain, Store
from tests.support.exchange import Array
from tests.support.gpu import Gpu, assert_close
from tests.support.wasm import Wasm
from tests.unit.graph.programs import Emit, Graph, number, program
from tests.unit.graph.test_quantize import Stored

ROWS, CONTEXT, VOCABULARY = 3, 16, 50
FIRST = 5  # position of the first row; its token is 100 + 5


@dataclass(frozen=True)
class Case:
    """A program over the weights x and y, ids and positions; `expected` gets x, y in f64."""

    emit: Emit
    expected: Callable[[Array, Array], Array]
    x: tuple[int, ...]
    y: tuple[int, ...] = (1,)
    positive: bool = False
    tolerance: float = 2e-6  # a few roundings, and functions that are good to 1e-6


def elementwise(
    emit: Callable[[relax.Expr], relax.Expr],
    expected: Callable[[Array], Array],
    tolerance: float = 2e-6,
    positive: bool = False,
) -> Case:
    return Case(
        lambda g: g(emit(g.x)),
        lambda x, _: expected(x),
        (9, 50),
        tolerance=tolerance,
        positive=positive,
    )


def softmax(x: Array) -> Array:
    exponents = np.exp(x - x.max(-1, keepdims=True))
    values: Array = exponents / exponents.sum(-1, keepdims=True)
    return values


def rotary(g: Graph) -> relax.Expr:
    """x cos + rotate_half(x) sin with angles position * y, as models spell it."""
    angles = g(R.multiply(g(R.reshape(g(R.astype(g.positions, "float32")), (ROWS, 1))), g.y))
    angles = g(R.concat([angles, angles], axis=1))
    halves = g(R.split(g.x, 2, axis=1))
    turned = g(R.concat([g(R.negative(halves[1])), halves[0]], axis=1))
    return g(R.add(g(R.multiply(g.x, g(R.cos(angles)))), g(R.multiply(turned, g(R.sin(angles))))))


def rotated(x: Array, y: Array) -> Array:
    angles = (FIRST + np.arange(ROWS))[:, None] * np.concatenate([y, y])
    turned = np.concatenate([-x[:, 8:], x[:, :8]], 1)
    values: Array = x * np.cos(angles) + turned * np.sin(angles)
    return values


def convolved(x: Array, y: Array) -> Array:
    """Of as many positions as it is wide, in 6 groups of 16 channels."""
    values: Array = np.einsum("gik,goik->go", x.reshape(6, 16, 2), y.reshape(6, 16, 16, 2))
    return values.reshape(1, 96, 1)


CASES: dict[str, Case] = {
    "softmax": Case(lambda g: g(R.nn.softmax(g.x, axis=-1)), lambda x, _: softmax(x), (5, 70)),
    # Whose largest values and sums take more than a kilobyte: a workspace on a CPU.
    "softmax_of_many": Case(
        lambda g: g(R.nn.softmax(g.x, axis=-1)), lambda x, _: softmax(x), (300, 5)
    ),
    "mean": Case(lambda g: g(R.mean(g.x, axis=-1)), lambda x, _: x.mean(-1), (5, 70)),
    "mean_first": Case(lambda g: g(R.mean(g.x, axis=0)), lambda x, _: x.mean(0), (5, 70)),
    "maximum": Case(lambda g: g(R.max(g.x, axis=1)), lambda x, _: x.max(1), (4, 6, 5)),
    "concat": Case(
        lambda g: g(R.concat([g.x, g(R.negative(g.y))], axis=1)),
        lambda x, y: np.concatenate([x, -y], 1),
        (5, 7), (5, 2),
    ),
    "slice": Case(
        lambda g: g(R.strided_slice(g.x, [1], [2], [9])), lambda x, _: x[:, 2:9], (5, 11)
    ),
    "transpose": Case(
        lambda g: g(R.permute_dims(g.x, [2, 0, 1])), lambda x, _: x.transpose(2, 0, 1), (4, 6, 5)
    ),
    "gather": Case(
        lambda g: g(R.take(g.x, g(R.reshape(g.positions, (ROWS,))), axis=0)),
        lambda x, _: x[FIRST : FIRST + ROWS],
        (CONTEXT, 10),
    ),
    "broadcast": Case(
        lambda g: g(R.multiply(g.x, g.y)), lambda x, y: x * y, (4, 1, 9), (6, 1)
    ),
    "convolution": Case(
        lambda g: g(R.nn.conv1d(g.x, g.y, groups=6)), convolved, (1, 96, 2), (96, 16, 2),
        tolerance=32 * 2.4e-7,
    ),
    "product": Case(lambda g: g(R.matmul(g.x, g.y)), lambda x, y: x @ y, (5, 30), (30, 7),
                    tolerance=30 * 2.4e-7),
    "ones": Case(lambda g: g(R.exp(g(R.add(g.x, g.y)))), lambda x, y: np.exp(x + y), (1, 1)),
    "exp": elementwise(R.exp, np.exp),
    "log": elementwise(R.log, np.log, positive=True),
    "sqrt": elementwise(R.sqrt, np.sqrt, positive=True),
    "rsqrt": elementwise(R.rsqrt, lambda x: 1 / np.sqrt(x), positive=True),
    "tanh": elementwise(R.tanh, np.tanh),
    "sigmoid": elementwise(R.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "erf": elementwise(R.erf, np.vectorize(erf)),
    "round": elementwise(R.round, np.round),
    "floor": elementwise(R.floor, np.floor),
    "clip": elementwise(lambda x: R.clip(x, -0.5, 0.5), lambda x: x.clip(-0.5, 0.5)),
    "square": elementwise(lambda x: R.power(x, number(2.0)), lambda x: x**2),
    "power": elementwise(lambda x: R.power(x, number(1.7)), lambda x: x**1.7, positive=True),
    "root": elementwise(lambda x: R.power(x, number(-0.5)), lambda x: x**-0.5, positive=True),
}  # fmt: skip
WASM_CASES: dict[str, Case] = {
    # TVM's schedules for GPUs have none for it.
    "mean_all": Case(lambda g: g(R.mean(g.x)), lambda x, _: x.mean()[None], (5, 70)),
    # SwiftShader takes 20 s to compile four sines.
    "rotary": Case(rotary, rotated, (ROWS, 16), (8,)),
}


@pytest.mark.parametrize("name", CASES)
def test_every_target(machine: Gpu | Wasm, name: str) -> None:
    check(machine, name, CASES[name])


@pytest.mark.parametrize("name", WASM_CASES)
def test_webassembly(wasm: Wasm, name: str) -> None:
    check(wasm, name, WASM_CASES[name])


def check(machine: Gpu | Wasm, name: str, case: Case) -> None:
    random = np.random.default_rng(9)
    x, y = (random.standard_normal(shape).astype(np.float32) * 2 for shape in (case.x, case.y))
    if case.positive:
        x = np.abs(x) + np.float32(0.01)
    expected = case.expected(x.astype(np.float64), y.astype(np.float64))
    got = outcome(machine, case.emit, {"x": x, "y": y}).reshape(expected.shape)
    assert_close(got, expected, case.tolerance, name)


def outcome(machine: Gpu | Wasm, emit: Emit, weights: dict[str, Array]) -> Array:
    """What the program's last step writes."""
    inputs = {"ids": (1, ROWS), "positions": (1, ROWS)}
    made = program(emit, inputs, {n: w.shape for n, w in weights.items()}, tuple(inputs))
    store = Store(Coding(Stored(weights), {}, "f32"))
    lister = Lister(
        legalise(made, machine.backend), Model(VOCABULARY, CONTEXT), store, machine.kernels, ROWS
    )
    listing = lister.run(sample=False)
    return Memory(store).run(machine, listing)


class Memory:
    """Buffers by kind and name, as a plan would lay them out."""

    def __init__(self, store: Store) -> None:
        control = np.zeros(CONTROL_SLOTS, np.int32)
        control[[Control.POSITION, Control.COUNT, Control.CONTEXT]] = FIRST, ROWS, CONTEXT
        tokens = np.arange(100, 101 + CONTEXT, dtype=np.int32)
        self._buffers: dict[tuple[str, str], Array] = {
            ("state", "control"): control,
            ("state", "tokens"): tokens,
        }
        for name, tensor in store.tensors.items():
            if isinstance(tensor, Constants):
                self._buffers["weight", name] = tensor.values
            elif isinstance(tensor, Plain):
                self._buffers["weight", name] = store.coding.values(tensor.recipe)

    def run(self, machine: Gpu | Wasm, listing: Listing) -> Array:
        for launch in listing.launches:
            self._launch(machine, launch)
        return self._of(listing.launches[-1].values[-1]).view(np.float32)

    def _launch(self, machine: Gpu | Wasm, launch: Launch) -> None:
        named = dict(zip(launch.kernel.arguments, launch.values, strict=True))
        after = machine.run(launch.kernel, {name: self._of(v) for name, v in named.items()})
        for name in launch.kernel.writes:
            value = named[name]
            self._buffers[value.kind, value.name] = after[name]

    def _of(self, value: Value) -> Array:
        key = value.kind, value.name
        if value.kind == "scratch":
            self._buffers.setdefault(key, np.zeros(value.bytes // 4, np.int32))
        return self._buffers[key]
