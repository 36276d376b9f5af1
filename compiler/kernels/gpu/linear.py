"""out = activation(x weight^T + bias) + residual, weights decoded on the way.

x (M, K), weight (N, K), bias (N,), residual and out (M, N). Gated: weight (2N, K) holds the gate's
rows, then up's, and out = activation(gate) * up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from tvm import tirx

from compiler.kernels.dsl import Expr, KernelFunction, both, ceil_div, f32, let, select, store, when
from compiler.kernels.gpu import weights
from compiler.kernels.gpu.activations import Direct, Staged, Vectors
from compiler.kernels.gpu.dsl import Builder, finished, kernel
from compiler.kernels.gpu.language import BASE, Language
from compiler.kernels.gpu.product import FEW, Product, Tiling
from compiler.kernels.gpu.route import Gathered, routing
from compiler.kernels.specs import Linear, vectors

# From here on (LM heads) a layer has invocations to spare, and four results for each make its
# prologue, which every workgroup computes, a quarter of the work.
WIDE = 32768


def default_tiling(spec: Linear) -> Tiling:
    """Matrix-vector, for a few vectors too: split K where a layer is so narrow that few invocations
    would be left. Matrix-matrix: each invocation reuses what it reads, a weight for several tokens
    and an activation for several weight rows."""
    if (together := routing(spec)) is not None:
        return Tiling(together.tile, 64, 1, 4)
    if spec.experts:  # each row has a weight of its own
        return Tiling(1, 32, 2) if spec.width < 1024 else Tiling(1, 64, 1)
    rows = next(n for n in (8, 4, 2, 1) if n <= spec.rows)  # shares a workgroup evenly
    few = spec.rows <= FEW
    if few and not spec.prologue.empty and spec.width >= WIDE:
        return Tiling(rows, 64, 1, 4)
    if few:
        return Tiling(rows, 32, 2) if spec.width < 1024 else Tiling(rows, 64, 1)
    return Tiling(rows, 64, 1, 4)


@cache
def linear(spec: Linear, tiling: Tiling, language: Language = BASE) -> KernelFunction:
    """Arguments: x; skip (with a sum); log_sums (of splits); experts (if there are any), or what
    `route` made of them; codes, scales (quantized); bias, or with a prologue all vectors; residual;
    out; sum (where kept)."""
    with kernel(spec.name, language) as k:
        (_Body if routing(spec) is None else _Routed)(k, spec, tiling).write()
    return finished(k)


class _Body:
    """The kernel's statements, sharing its indices and buffers."""

    def __init__(self, k: Builder, spec: Linear, tiling: Tiling) -> None:
        self.k, self.spec, self.tiling = k, spec, tiling
        self._declare()
        covered = tiling.width * tiling.outputs
        grid = (ceil_div(spec.width, covered), self._tiles())
        (block, tile), self.threads = k.launch(grid, (tiling.width, tiling.split), self._rows_axis)
        first = block * covered + self.threads[0]
        self.columns = [first + i * tiling.width for i in range(tiling.outputs)]
        self.m = tile * tiling.rows
        self._begin(block, tile)
        self.rows = self._weight_rows()
        inside = self._inside()
        self.product = Product(k, tiling, self.x, self.weight, self.threads, self.rows, inside)

    _rows_axis: int | None = 1

    def _tiles(self) -> int:
        return ceil_div(self.spec.rows, self.tiling.rows)

    def _begin(self, block: Expr, tile: Expr) -> None:
        if isinstance(self.x, Direct):
            self.x.begin(self.m)
        else:
            thread = self.threads[1] * self.tiling.width + self.threads[0]
            store_sum = self._store_sum if self.sum is not None else None
            self.x.begin(self.m, thread, block == 0, store_sum)

    def _inside(self) -> Expr:
        """Whether the invocation has anything to do."""
        return self.columns[0] < self.spec.width

    def _declare(self) -> None:
        k, spec, out = self.k, self.spec, (self.spec.rows, self.spec.width)
        # Bindings are declared in the order of the kernel's arguments.
        self.vectors = Vectors(vectors(spec))
        self._declare_x()
        self.weight = weights.declare(k, spec.scheme, spec.weight_rows, spec.columns)
        self.vectors.declare(k)
        self.residual = k.buffer("residual", out, "float32") if spec.residual else None
        self.out = k.buffer("out", out, "float32", write=True)
        kept = spec.prologue.sum is not None and spec.prologue.sum.kept
        shape = (spec.rows, spec.columns // 4)
        self.sum = k.buffer("sum", shape, "float32x4", write=True) if kept else None

    def _declare_x(self) -> None:
        if self.spec.prologue.empty:
            self.x: Direct | Staged = Direct(self.k, self.spec)
        else:
            self.x = Staged(self.k, self.spec, self.tiling, self.vectors)
        alone = bool(self.spec.experts)
        self.experts = self.k.buffer("experts", (self.spec.rows,), "int32") if alone else None

    def _store_sum(self, token: Expr, quad: Expr, value: Expr) -> None:
        store(self.sum, value, token, quad)

    def _first_row(self) -> Expr:
        """Where the invocation's matrix begins among those of the experts."""
        if self.experts is None:
            return 0
        expert = tirx.max(tirx.min(self.experts[self.m], self.spec.experts - 1), 0)
        return let(expert * (self.spec.stacked * self.spec.width))

    def _weight_rows(self) -> list[Expr]:
        """The weight rows this invocation multiplies with: gates first, then ups."""
        first = self._first_row()
        stacks = [first + i * self.spec.width for i in range(self.spec.stacked)]
        return [stack + n for stack in stacks for n in self.columns]

    def write(self) -> None:
        """Writes each result once."""
        for output, n in enumerate(self.columns):
            with when(both(self.threads[1] == 0, n < self.spec.width)):
                for i in range(self.tiling.rows):
                    inside, row = self._place(i)
                    with when(inside):
                        store(self.out, self._finish(i, output), row, n)

    def _place(self, i: int) -> tuple[Expr, Expr]:
        """Whether there is a token i, and its row of the result."""
        return self.m + i < self.spec.rows, self.m + i

    def _finish(self, i: int, output: int) -> Expr:
        """Bias, activation, gate and residual, in the order PyTorch applies them."""
        n, parts = self.columns[output], []
        for index in range(output, len(self.rows), self.tiling.outputs):
            value = self.product.sum(index, i)
            if self.spec.bias:
                value = value + self.vectors.value("bias", self.rows[index])
            parts.append(let(value))
        value = ACTIVATIONS[self.spec.activation](parts[0])
        if self.spec.gated:
            value = value * parts[1]
        if self.residual is not None:
            value = value + self.residual[self.m + i, n]
        return value


class _Routed(_Body):
    """For each tile of one expert's rows, whichever they are (route.py)."""

    _rows_axis = None  # tiles are in no order of tokens

    def _declare_x(self) -> None:
        self.routing = routing(self.spec)
        if self.routing is None or self.tiling.rows != self.routing.tile:
            raise AssertionError(f"{self.spec.name}: no rows by expert with {self.tiling}")
        self.x = self.gathered = Gathered(self.k, self.spec, self.routing)

    def _tiles(self) -> int:
        return self.routing.tiles if self.routing else 0

    def _begin(self, block: Expr, tile: Expr) -> None:
        self.gathered.open(tile)

    def _inside(self) -> Expr:
        return both(super()._inside(), self.gathered.count > 0)

    def _first_row(self) -> Expr:
        return let(self.gathered.expert * (self.spec.stacked * self.spec.width))

    def _place(self, i: int) -> tuple[Expr, Expr]:
        return i < self.gathered.count, self.gathered.rows[i]


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
