"""The fused QKV projection against the projection and `append` one after the other, in f64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from compiler.bundle.schema import Control
from compiler.kernels.gpu.append import place
from compiler.kernels.gpu.product import Tiling
from compiler.kernels.gpu.project import default_tiling, project_append
from compiler.kernels.specs import (
    Append,
    CacheShape,
    Linear,
    ProjectAppend,
    Prologue,
    Sum,
    vectors,
)
from compiler.quantize import schemes
from tests.kernels.test_attention import control, rotate
from tests.kernels.test_linear import in_half, operands, tolerance
from tests.support.exchange import Array
from tests.support.gpu import Gpu, assert_close

RMS = Prologue("rms", 1e-5)
SUM = Prologue("rms", 1e-5, Sum(1e-6, kept=True))
POSITION, CONTEXT = 5, 16


def spec_of(
    rows: int,
    depth: int,
    rotary: int,
    *,
    heads: int = 4,
    kv_heads: int = 2,
    normed: bool = False,
    bias: bool = False,
    prologue: Prologue = RMS,
) -> ProjectAppend:
    cache = CacheShape(CONTEXT, kv_heads, depth)
    width = (heads + 2 * kv_heads) * depth
    linear = Linear(rows, width, 64, schemes.Q4_MIN, bias, prologue=prologue)
    return ProjectAppend(linear, Append(rows, heads, cache, True, rotary, normed, 1e-6))


SPECS = {
    "llama": spec_of(1, 16, 16),
    "llama, a prompt": spec_of(11, 16, 16),
    "llama, a few tokens": spec_of(4, 16, 16, prologue=SUM),
    "no norm": spec_of(3, 20, 20, prologue=Prologue()),
    "odd heads": spec_of(1, 36, 36, heads=3, kv_heads=1),
    "partial": spec_of(11, 16, 8, bias=True),
    "not turned": spec_of(1, 24, 0, heads=4, kv_heads=4, bias=True),
    "not turned, a prompt": spec_of(3, 24, 0, bias=True, prologue=Prologue("layer", 1e-5)),
    "head norms": spec_of(1, 20, 20, normed=True, bias=True),
    "head norms, a few tokens": spec_of(4, 20, 20, normed=True, bias=True),
    "head norms, a prompt": spec_of(11, 20, 12, normed=True),
    "sum": spec_of(1, 20, 20, heads=3, kv_heads=1, prologue=SUM),
    "sum and head norms, a prompt": spec_of(11, 20, 20, normed=True, bias=True, prologue=SUM),
    "sum that nobody else reads": spec_of(1, 16, 16, prologue=Prologue(sum=Sum(1e-6, False))),
    "deep": spec_of(1, 128, 128, normed=True),
    "deep, a few tokens": spec_of(4, 256, 256, heads=2, kv_heads=1, normed=True),
    "deep, a prompt": spec_of(9, 256, 256, heads=2, kv_heads=1, normed=True),
}


def buffers_of(spec: ProjectAppend) -> dict[str, Array]:
    """Random operands; padding and the cache are marked."""
    linear, append, cache = spec.linear, spec.append, spec.append.cache
    random = np.random.default_rng(6)
    buffers, _ = operands(replace(linear, prologue=Prologue()))
    lengths = vectors(linear, append)
    parts = {name: random.standard_normal(size).astype("f4") for name, size in lengths.items()}
    if linear.bias:
        parts["bias"] = buffers["bias"]
    if parts:
        buffers["vectors"] = np.concatenate(list(parts.values()))
    buffers |= {f"part {name}": part for name, part in parts.items()}
    tables = random.standard_normal((2, linear.rows, append.rotary)).astype("f4")
    buffers["cos"], buffers["sin"] = tables
    positions = POSITION + np.arange(linear.rows, dtype=np.float32)
    positions[positions >= POSITION + count(spec)] = -1
    buffers["place"] = np.concatenate([positions[:, None], *tables], 1).astype("f4")
    shape = (cache.context, 2, cache.kv_heads, cache.depth)
    buffers["kv"] = np.full(shape, 9, np.float32)
    buffers["out"] = np.zeros(spec.size, np.float32)
    buffers["skip"] = random.standard_normal(buffers["x"].shape).astype("f4")
    return buffers


def count(spec: ProjectAppend) -> int:
    """Tokens that are real; the last row of a prompt is padding."""
    return max(1, spec.linear.rows - 1)


def expected(spec: ProjectAppend, buffers: dict[str, Array]) -> tuple[Array, Array, Array]:
    """Queries, cache and the prologue's sum, by the definitions."""
    linear, append, cache = spec.linear, spec.append, spec.append.cache
    part = {name: torch.from_numpy(values).double() for name, values in buffers.items()
            if values.dtype == np.float32}  # fmt: skip
    x, before = part["x"], linear.prologue
    if before.sum is not None:
        post = F.rms_norm(x, [linear.columns], part["part sum"], before.sum.epsilon)
        x = part["skip"] + post
    total = x.numpy()
    if before.norm == "rms":
        x = F.rms_norm(x, [linear.columns], part["part norm"], before.epsilon)
    if before.norm == "layer":
        shift = part["part norm_bias"]
        x = F.layer_norm(x, [linear.columns], part["part norm"], shift, before.epsilon)
    _, product = operands(replace(linear, prologue=Prologue()), x=x.numpy())
    heads = torch.from_numpy(product).reshape(linear.rows, -1, cache.depth)
    kinds = [append.heads, cache.kv_heads, cache.kv_heads]
    query, key, value = torch.split(heads, kinds, 1)
    if append.normed:
        query, key = (
            F.rms_norm(head, [cache.depth], part[f"part {name}_norm"], append.epsilon)
            for head, name in ((query, "query"), (key, "key"))
        )
    if append.rotary:
        query, key = (rotate(head, part["cos"], part["sin"]) for head in (query, key))
    kv = buffers["kv"].astype(np.float64)
    real = slice(POSITION, POSITION + count(spec))
    kv[real, 0], kv[real, 1] = key[: count(spec)], value[: count(spec)]
    return query.numpy(), kv, total


def check(gpu: Gpu, spec: ProjectAppend, tiling: Tiling, what: str) -> None:
    buffers = buffers_of(spec)
    cached = {"kv": gpu.stored(buffers["kv"])}
    kernel = project_append(spec, tiling, gpu.language)
    assert len(kernel.arguments) <= 8
    after = gpu.run(kernel, {name: (buffers | cached)[name] for name in kernel.arguments})
    query, kv, total = expected(spec, buffers)
    out = after["out"][: query.size].reshape(query.shape)
    # As a layer's own, times 4 for the norm and 4 for a rotation of normally distributed tables.
    limit = 16 * tolerance(spec.linear.columns, in_half(gpu, spec.linear))
    assert_close(out[: count(spec)], query[: count(spec)], limit, f"{what}: query")
    assert_close(after["kv"], kv, limit, f"{what}: cache")
    if spec.size > query.size:
        kept = after["out"][spec.sum_start :].reshape(total.shape)
        assert_close(kept, total, limit, f"{what}: sum")


@pytest.mark.parametrize("name", SPECS)
def test_project_append(each_gpu: Gpu, name: str) -> None:
    check(each_gpu, SPECS[name], default_tiling(SPECS[name]), name)


@pytest.mark.parametrize("tiling", [Tiling(1, 8, 1, 2), Tiling(4, 32, 4, 4), Tiling(2, 24, 2, 6)])
@pytest.mark.parametrize("name", ["partial", "head norms, a prompt"])
def test_every_tiling_gives_the_same(each_gpu: Gpu, tiling: Tiling, name: str) -> None:
    spec = SPECS[name]
    heads = spec.append.cache.depth // 2
    width = tiling.width // heads * heads or heads
    check(each_gpu, spec, replace(tiling, width=width), f"{name}, {tiling}")


def test_a_tiling_that_cuts_heads_is_refused() -> None:
    with pytest.raises(ValueError, match="cuts heads of 20"):
        project_append(SPECS["head norms"], Tiling(1, 16, 1, 2))


@pytest.mark.parametrize(("rows", "rotary"), [(1, 16), (3, 40), (3, 0)])
def test_place(gpu: Gpu, rows: int, rotary: int) -> None:
    cos, sin = np.random.default_rng(8).standard_normal((2, rows, rotary)).astype("f4")
    kernel = place(rows, rotary)
    buffers = {"cos": cos, "sin": sin, "control": control(14, 2, 15)}
    buffers["out"] = np.zeros((rows, 1 + 2 * rotary), np.float32)
    got = gpu.run(kernel, {name: buffers[name] for name in kernel.arguments})["out"]
    positions = np.array([[14], [-1], [-1]], np.float32)[:rows]  # past the context; padding
    np.testing.assert_array_equal(got, np.concatenate([positions, cos, sin], 1))
    buffers["control"][Control.DONE] = 1
    got = gpu.run(kernel, {name: buffers[name] for name in kernel.arguments})["out"]
    np.testing.assert_array_equal(got, np.concatenate([np.full_like(positions, -1), cos, sin], 1))
