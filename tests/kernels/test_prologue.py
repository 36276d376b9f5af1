"""Linear layers that norm their own input, against PyTorch in f64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from compiler.bundle.schema import Scheme
from compiler.kernels.dsl import LOWEST
from compiler.kernels.gpu.linear import default_tiling, linear
from compiler.kernels.gpu.product import Tiling
from compiler.kernels.specs import Combine, Linear, Prologue, Sum, vectors
from compiler.quantize import schemes
from tests.kernels.test_attention import combined
from tests.kernels.test_linear import in_half, operands, tolerance
from tests.support.exchange import Array
from tests.support.gpu import Gpu, assert_close

RMS = Prologue("rms", 1e-5)
LAYER = Prologue("layer", 1e-5)
SUM = Prologue("rms", 1e-5, Sum(1e-6, kept=True))
PROLOGUES = {
    "rms": RMS,
    "layer": LAYER,
    "sum": Prologue("none", 0.0, Sum(1e-6, kept=True)),
    "sum and rms": SUM,
    "sum and layer, not kept": Prologue("layer", 1e-5, Sum(1e-6, kept=False)),
}


def normed(spec: Linear, buffers: dict[str, Array], random: np.random.Generator) -> torch.Tensor:
    """Adds what the prologue reads to `buffers`; returns the sum, and x as the product sees it."""
    before, columns = spec.prologue, spec.columns
    x = buffers["x"] = random.standard_normal((spec.rows, columns)).astype("f4") * 3 + 1
    parts = {n: random.standard_normal(size).astype("f4") for n, size in vectors(spec).items()}
    if spec.bias:
        parts["bias"] = buffers["bias"]
    if parts:
        buffers["vectors"] = np.concatenate(list(parts.values()))
    weights = {name: torch.from_numpy(values).double() for name, values in parts.items()}
    value = torch.from_numpy(x).double()
    if before.sum is not None:
        buffers["skip"] = random.standard_normal(x.shape).astype("f4")
        buffers["sum"] = np.zeros_like(x)
        post = F.rms_norm(value, [columns], weights["sum"], before.sum.epsilon)
        value = torch.from_numpy(buffers["skip"]).double() + post
    buffers["expected sum"] = value.numpy()
    if before.norm == "rms":
        value = F.rms_norm(value, [columns], weights["norm"], before.epsilon)
    if before.norm == "layer":
        shift = weights["norm_bias"]
        value = F.layer_norm(value, [columns], weights["norm"], shift, before.epsilon)
    return value


def check(gpu: Gpu, spec: Linear, tiling: Tiling) -> None:
    buffers, _ = operands(replace(spec, prologue=Prologue()))
    x = normed(spec, buffers, np.random.default_rng(3))
    # What the layer makes of the normed x, its weights and biases being those in `buffers`.
    _, expected = operands(replace(spec, prologue=Prologue()), x=x.numpy())
    kernel = linear(spec, tiling, gpu.language)
    after = gpu.run(kernel, {name: buffers[name] for name in kernel.arguments})
    # Norms make numbers up to 4 times as large as the unit normal ones of plain layers.
    limit = 4 * tolerance(spec.columns, in_half(gpu, spec))
    assert_close(after["out"], expected, limit, str(spec))
    if "sum" in kernel.arguments:
        assert_close(after["sum"], buffers["expected sum"], limit, f"{spec}: sum")


@pytest.mark.parametrize("name", PROLOGUES)
@pytest.mark.parametrize("rows", [1, 4, 11])
def test_every_prologue(each_gpu: Gpu, name: str, rows: int) -> None:
    spec = Linear(rows, 97, 96, schemes.Q4, bias=True, residual=True, prologue=PROLOGUES[name])
    check(each_gpu, spec, default_tiling(spec))


@pytest.mark.parametrize("rows", [1, 4, 11])
def test_gated(each_gpu: Gpu, rows: int) -> None:
    spec = Linear(rows, 300, 576, schemes.Q4_MIN, gated=True, activation="silu", prologue=RMS)
    check(each_gpu, spec, default_tiling(spec))


@pytest.mark.parametrize("rows", [1, 4])
def test_what_was_not_normed_may_be_larger_than_f16_holds(each_gpu: Gpu, rows: int) -> None:
    """Residual streams have channels like that: Gemma's reach 1e5."""
    spec = Linear(rows, 40, 96, schemes.Q4, prologue=RMS)
    buffers, _ = operands(replace(spec, prologue=Prologue()))
    normed(spec, buffers, np.random.default_rng(3))
    buffers["x"][:, 7] = 3e5
    x = F.rms_norm(
        torch.from_numpy(buffers["x"]).double(),
        [96],
        torch.from_numpy(buffers["vectors"]).double(),
        1e-5,
    )
    _, expected = operands(replace(spec, prologue=Prologue()), x=x.numpy())
    kernel = linear(spec, default_tiling(spec), each_gpu.language)
    after = each_gpu.run(kernel, {name: buffers[name] for name in kernel.arguments})
    limit = 12 * tolerance(96, in_half(each_gpu, spec))  # one channel is 9.8, the others nearly 0
    assert_close(after["out"], expected, limit, f"{rows} rows")


@pytest.mark.parametrize("tiling", [Tiling(1, 32, 8), Tiling(2, 16, 2, 3), Tiling(8, 8, 1, 1)])
@pytest.mark.parametrize("scheme", [schemes.Q8, schemes.F32])
def test_columns_in_several_pieces(each_gpu: Gpu, tiling: Tiling, scheme: Scheme) -> None:
    """More than workgroup memory takes at a time, the last piece not full."""
    spec = Linear(tiling.rows + 1, 40, 2528, scheme, prologue=SUM)
    check(each_gpu, spec, tiling)


@pytest.mark.parametrize("used", [1, 4, 6, 7])
@pytest.mark.parametrize(
    ("columns", "heads", "scheme"),
    [(96, 6, schemes.Q4), (2560, 32, schemes.Q4_MIN), (1056, 66, schemes.F16)],
)
def test_combines_the_splits_of_attention(
    gpu: Gpu, columns: int, heads: int, scheme: Scheme, used: int
) -> None:
    """Those that are used come first; nothing is known of what the others hold."""
    before = Prologue(combine=Combine(heads, splits=7))
    spec = Linear(1, 97, columns, scheme, bias=True, residual=True, prologue=before)
    buffers, _ = operands(replace(spec, prologue=Prologue()))
    random = np.random.default_rng(3)
    partial = random.standard_normal((7, heads, columns // heads)).astype("f4")
    partial[used:] = np.nan
    log_sums = (random.standard_normal((7, heads)) * 30).astype("f4")
    log_sums[used:] = LOWEST
    x = combined(partial, log_sums).reshape(1, columns)
    _, expected = operands(replace(spec, prologue=Prologue()), x=x)
    buffers |= {"x": partial.reshape(7, columns), "log_sums": log_sums}
    kernel = linear(spec, default_tiling(spec))
    got = gpu.run(kernel, {name: buffers[name] for name in kernel.arguments})["out"]
    assert_close(got, expected, tolerance(columns), str(spec))
