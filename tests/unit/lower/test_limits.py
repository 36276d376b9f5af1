"""Fused kernels of real models' shapes, within what every WebGPU device guarantees."""

from __future__ import annotations

from math import prod

import pytest

from compiler.bundle.schema import Scheme
from compiler.kernels.sets import WEBGPU
from compiler.kernels.specs import Append, CacheShape, Linear, ProjectAppend, Prologue, Sum
from compiler.lower.targets import DEFAULT_LIMITS
from compiler.lower.wgsl import compile_kernels
from compiler.quantize import schemes

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
@pytest.mark.parametrize("rows", [1, 32])
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
    for shader in compile_kernels(kernels).values():
        assert len(shader.arguments) <= DEFAULT_LIMITS["maxStorageBuffersPerShaderStage"]
        assert shader.workgroup_bytes <= DEFAULT_LIMITS["maxComputeWorkgroupStorageSize"]
        assert prod(shader.workgroup) <= DEFAULT_LIMITS["maxComputeInvocationsPerWorkgroup"]
    grids = [max(kernel.grid) for kernel in kernels]
    assert max(grids) <= DEFAULT_LIMITS["maxComputeWorkgroupsPerDimension"]
