"""Fused kernels of real models' shapes, within what every WebGPU device guarantees."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import pytest

from compiler.bundle.schema import Scheme
from compiler.kernels.dsl import KernelFunction
from compiler.kernels.sets import WEBGPU
from compiler.kernels.specs import (
    Append,
    Attend,
    CacheShape,
    Combine,
    Linear,
    ProjectAppend,
    Prologue,
    Sum,
)
from compiler.lower.targets import DEFAULT_LIMITS
from compiler.lower.wgsl import compile_kernels
from compiler.quantize import schemes

pytestmark = pytest.mark.slow  # compiles kernels

RMS = Prologue("rms", 1e-6)
POST = Prologue("rms", 1e-6, Sum(1e-6, kept=True))
LAYER = Prologue("layer", 1e-5)
# Hidden size, heads, key/value heads, depth, rotary, head norms, bias, MLP width, gated, prologue.
SHAPES = {
    "SmolLM2 135M": (576, 9, 3, 64, 64, False, False, 1536, True, RMS),
    "Llama 3 8B": (4096, 32, 8, 128, 128, False, False, 14336, True, RMS),
    "Qwen 2.5 7B": (3584, 28, 4, 128, 128, False, True, 18944, True, RMS),
    "Qwen 3 4B": (2560, 32, 8, 128, 128, True, False, 9728, True, RMS),
    "Gemma 2 2B": (2304, 8, 4, 256, 256, False, False, 9216, True, POST),
    "Gemma 3 4B": (2560, 8, 4, 256, 256, True, False, 10240, True, POST),
    "Phi 2": (2560, 32, 32, 80, 32, False, True, 10240, False, LAYER),
    "GPT-2": (768, 12, 12, 64, 0, False, True, 3072, False, LAYER),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("rows", [1, 128])
@pytest.mark.parametrize("scheme", [schemes.Q4_MIN, schemes.F16])
def test_within_default_limits(name: str, rows: int, scheme: Scheme) -> None:
    hidden, heads, kv_heads, depth, rotary, normed, bias, mlp, gated, prologue = SHAPES[name]
    cache = CacheShape(4096, kv_heads, depth)
    append = Append(rows, heads, cache, True, rotary, normed, 1e-6)
    width = (heads + 2 * kv_heads) * depth
    projection = Linear(rows, width, hidden, scheme, bias, prologue=prologue)
    up = Linear(rows, mlp, hidden, scheme, bias, False, gated, "gelu_tanh", prologue)
    assert WEBGPU.fused is not None
    kernels = [
        WEBGPU.fused.project_append(ProjectAppend(projection, append)),
        WEBGPU.linear(up),
    ]
    check(kernels)


def check(kernels: list[KernelFunction]) -> None:
    for shader in compile_kernels(kernels).values():
        assert len(shader.arguments) <= DEFAULT_LIMITS["maxStorageBuffersPerShaderStage"]
        assert shader.workgroup_bytes <= DEFAULT_LIMITS["maxComputeWorkgroupStorageSize"]
        assert prod(shader.workgroup) <= DEFAULT_LIMITS["maxComputeInvocationsPerWorkgroup"]
    grids = [max(kernel.grid) for kernel in kernels]
    assert max(grids) <= DEFAULT_LIMITS["maxComputeWorkgroupsPerDimension"]


ATTENTION = {
    **{name: (shape[1], shape[2], shape[3]) for name, shape in SHAPES.items()},
    "Llama 3 70B": (64, 8, 128),
    "Gemma 2B": (8, 1, 256),
    "Falcon 7B": (71, 1, 64),
    "odd": (24, 1, 20),
}


@pytest.mark.parametrize("name", ATTENTION)
@pytest.mark.parametrize("window", [0, 512])
def test_attention_within_default_limits(name: str, window: int) -> None:
    heads, kv_heads, depth = ATTENTION[name]
    assert WEBGPU.fused is not None
    token = Attend(1, heads, CacheShape(8192, kv_heads, depth), 0.1, window, 30.0)
    splits = WEBGPU.fused.splits(token)
    output = Prologue(combine=Combine(heads, splits))
    columns = heads * depth
    projection = Linear(1, columns, columns, schemes.Q4_MIN, True, True, prologue=output)
    check(
        [
            WEBGPU.attend(replace(token, splits=splits)),
            WEBGPU.linear(projection),
            WEBGPU.fused.combine(Combine(heads, splits), depth),
        ]
    )
    for rows in (32, 128):
        check([WEBGPU.attend(replace(token, rows=rows))])


@pytest.mark.parametrize("name", SHAPES)
def test_a_long_context_keeps_many_cores_at_work(name: str) -> None:
    heads, kv_heads, depth = ATTENTION[name]
    assert WEBGPU.fused is not None
    token = Attend(1, heads, CacheShape(8192, kv_heads, depth), 0.1, 0, 0.0)
    split = replace(token, splits=WEBGPU.fused.splits(token))
    assert 24 <= prod(WEBGPU.attend(split).grid) <= 128


@pytest.mark.parametrize(
    ("context", "window", "heads", "expected"),
    [(64, 0, 8, 1), (65, 0, 8, 2), (8192, 64, 8, 1), (8192, 0, 8, 8), (8192, 0, 64, 1)],
)
def test_positions_are_split_for_enough_workgroups(
    context: int, window: int, heads: int, expected: int
) -> None:
    """Blocks of 64 positions are not cut."""
    assert WEBGPU.fused is not None
    spec = Attend(1, heads, CacheShape(context, heads, 64), 0.125, window, 0.0)
    assert WEBGPU.fused.splits(spec) == expected
