"""out = activation(x weight^T + bias) + residual, weights decoded on the way.

x (M, K), weight (N, K), bias (N,), residual and out (M, N). Gated: weight (2N, K) holds the gate's
rows, then up's, and out = activation(gate) * up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from tvm import tirx

from compiler.kernels.dsl import (
    Expr,
    KernelFunction,
    both,
    ceil_div,
    f32,
    let,
    loop,
    select,
    store,
    when,
)
from compiler.kernels.gpu import weights
from compiler.kernels.gpu.dsl import Builder, dot, finished, kernel, vec4
from compiler.kernels.specs import Linear


@dataclass(frozen=True)
class Tiling:
    """How the product is spread over invocations."""

    rows: int  # tokens per invocation
    width: int  # invocations side by side in a workgroup, on neighbouring weight rows
    split: int  # invocations that share weight rows, each taking every `split`-th unit of K
    outputs: int = 1  # results per token and invocation, `width` rows of the weight apart


def default_tiling(spec: Linear) -> Tiling:
    """Matrix-vector: split K where a layer is so narrow that few invocations would be left.
    Matrix-matrix: each invocation reuses what it reads, a weight for several tokens and an
    activation for several weight rows."""
    if spec.rows == 1:
        return Tiling(1, 32, 2) if spec.width < 1024 else Tiling(1, 64, 1)
    return Tiling(min(8, spec.rows), 64, 1, 4)


@cache
def linear(spec: Linear, tiling: Tiling) -> KernelFunction:
    """Arguments: x, codes, scales (quantized), bias, residual (where present), out."""
    with kernel(spec.name) as k:
        body = _Body(k, spec, tiling)
        body.accumulate()
        body.reduce_and_write()
    return finished(k)


class _Body:
    """The kernel's statements, sharing its indices and buffers."""

    def __init__(self, k: Builder, spec: Linear, tiling: Tiling) -> None:
        self.k, self.spec, self.tiling = k, spec, tiling
        self.aligned = spec.columns % 4 == 0
        shape = (spec.rows, spec.columns // 4) if self.aligned else (spec.rows, spec.columns)
        self.x = k.buffer("x", shape, "float32x4" if self.aligned else "float32")
        stacked = 2 if spec.gated else 1
        self.weight = weights.declare(k, spec.scheme, stacked * spec.width, spec.columns)
        self.bias = k.buffer("bias", (stacked * spec.width,), "float32") if spec.bias else None
        out = (spec.rows, spec.width)
        self.residual = k.buffer("residual", out, "float32") if spec.residual else None
        self.out = k.buffer("out", out, "float32", write=True)
        covered = tiling.width * tiling.outputs
        grid = (ceil_div(spec.width, covered), ceil_div(spec.rows, tiling.rows))
        blocks, self.threads = k.launch(grid, (tiling.width, tiling.split))
        first = blocks[0] * covered + self.threads[0]
        self.columns = [first + i * tiling.width for i in range(tiling.outputs)]
        self.m = blocks[1] * tiling.rows
        self.sums = k.local(len(self._weight_rows()) * tiling.rows)

    def _weight_rows(self) -> list[Expr]:
        """The weight rows this invocation multiplies with: gates first, then ups."""
        stacked = 2 if self.spec.gated else 1
        return [n + i * self.spec.width for i in range(stacked) for n in self.columns]

    def accumulate(self) -> None:
        """Sums the invocation's share of K for its tokens and weight rows."""
        units = ceil_div(self.weight.vectors, self.weight.unit)
        for index in range(len(self._weight_rows()) * self.tiling.rows):
            store(self.sums, f32(0), index)
        with loop(ceil_div(units, self.tiling.split)) as step:
            unit = step * self.tiling.split + self.threads[1]
            with when(both(unit < units, self.columns[0] < self.spec.width)):
                self._accumulate_unit(unit)

    def _accumulate_unit(self, unit: Expr) -> None:
        last = self.weight.rows - 1
        rows = [self.weight.unit_of(unit, tirx.min(row, last)) for row in self._weight_rows()]
        for j in range(self.weight.quads):
            values = [row.quad(j) for row in rows]
            for i in range(self.tiling.rows):
                x = self._load(i, unit * self.weight.quads + j)
                for row, value in enumerate(values):
                    index = row * self.tiling.rows + i
                    store(self.sums, dot(x, value) + self.sums[index], index)

    def _load(self, i: int, quad: Expr) -> Expr:
        """Four activations of token m + i. Rows past the end repeat the last one's."""
        row = self.m + i
        if self.spec.rows % self.tiling.rows:
            row = tirx.min(row, self.spec.rows - 1)
        if self.aligned:
            inside = self.spec.columns % self.weight.width == 0
            x = self.x[row, quad]
            return let(x) if inside else let(select(quad * 4 < self.spec.columns, x, vec4(f32(0))))
        lanes = [quad * 4 + j for j in range(4)]
        safe = [tirx.min(j, self.spec.columns - 1) for j in lanes]
        reads = [self.x[row, j] for j in safe]
        zero = f32(0)
        masked = [select(j < self.spec.columns, v, zero) for j, v in zip(lanes, reads, strict=True)]
        return let(vec4(*masked))

    def reduce_and_write(self) -> None:
        """Adds up the shares of K through workgroup memory and writes the result once."""
        if self.tiling.split > 1:
            self._reduce()
        for output, n in enumerate(self.columns):
            with when(both(self.threads[1] == 0, n < self.spec.width)):
                for i in range(self.tiling.rows):
                    with when(self.m + i < self.spec.rows):
                        store(self.out, self._finish(i, output), self.m + i, n)

    def _reduce(self) -> None:
        tx, ty = self.threads
        width, split = self.tiling.width, self.tiling.split
        count = len(self._weight_rows()) * self.tiling.rows
        partial = self.k.shared(count * split * width)
        for index in range(count):
            store(partial, self.sums[index], (index * split + ty) * width + tx)
        for index in range(count):
            total = partial[index * split * width + tx]
            for other in range(1, split):
                total = total + partial[(index * split + other) * width + tx]
            store(self.sums, total, index)

    def _finish(self, i: int, output: int) -> Expr:
        """Bias, activation, gate and residual, in the order PyTorch applies them."""
        n, parts = self.columns[output], []
        for index in range(output, len(self._weight_rows()), self.tiling.outputs):
            value = self.sums[index * self.tiling.rows + i]
            if self.bias is not None:
                value = value + self.bias[self._weight_rows()[index]]
            parts.append(let(value))
        value = ACTIVATIONS[self.spec.activation](parts[0])
        if self.spec.gated:
            value = value * parts[1]
        if self.residual is not None:
            value = value + self.residual[self.m + i, n]
        return value


def _silu(x: Expr) -> Expr:
    return x / (f32(1) + tirx.exp(-x))


def _tanh(x: Expr) -> Expr:
    """tanh without overflow: some WGSL compilers expand tanh(x) into exp(2x)."""
    return f32(1) - f32(2) / (tirx.exp(tirx.min(x, f32(40)) * f32(2)) + f32(1))


def _gelu_tanh(x: Expr) -> Expr:
    inner = (x + x * x * x * f32(0.044715)) * f32(0.7978845608028654)
    return x * f32(0.5) * (f32(1) + _tanh(inner))


def _gelu(x: Expr) -> Expr:
    """x Phi(x) with erf by Abramowitz and Stegun 7.1.26, absolute error below 1.5e-7."""
    z = let(tirx.abs(x) * f32(0.7071067811865476))
    t = let(f32(1) / (f32(1) + z * f32(0.3275911)))
    poly = f32(1.061405429)
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        poly = poly * t + f32(coefficient)
    erf = let(f32(1) - poly * t * tirx.exp(-z * z))
    return x * f32(0.5) * (f32(1) + select(x < f32(0), -erf, erf))


ACTIVATIONS: dict[str, Callable[[Expr], Expr]] = {
    "none": lambda x: x,
    "silu": _silu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "relu": lambda x: tirx.max(x, f32(0)),
}
