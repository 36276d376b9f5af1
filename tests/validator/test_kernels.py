"""Every kernel of every WebGPU variant, in real models' shapes, before Chrome's own validator."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from compiler.kernels.dsl import KernelFunction
from compiler.kernels.gpu.language import BASE
from compiler.kernels.sets import KernelSet, webgpu
from compiler.kernels.specs import Append, Attend, CacheShape, Linear, ProjectAppend, Prologue, Sum
from compiler.lower.targets import TARGETS
from compiler.lower.wgsl import Shader, compile_kernels
from compiler.quantize import schemes
from tests.validator.dawn import refusals

VOCABULARY, CONTEXT, HIDDEN, MLP, HEADS, DEPTH = 49152, 2048, 576, 1536, 9, 64  # SmolLM2 135M
RMS = Prologue("rms", 1e-5)
PROLOGUES = {"none": Prologue(), "rms": RMS, "layer": Prologue("layer", 1e-5)} | {
    "sum": Prologue("rms", 1e-5, Sum(1e-5, kept=True))
}
SCHEMES = {"q4": schemes.Q4, "q4_min": schemes.Q4_MIN, "q8": schemes.Q8} | {
    "f16": schemes.F16,
    "f32": schemes.F32,
}
VARIANTS = {
    name: (target, features)
    for target in TARGETS
    if target.backend == "webgpu"
    for name, features in target.variants.items()
}


def kernels(makers: KernelSet, rows: int) -> list[KernelFunction]:
    """What SmolLM2 needs, and what others do besides."""
    assert makers.fused is not None
    cache = CacheShape(CONTEXT, 3, DEPTH, makers.cache_bytes)
    plain = Append(rows, HEADS, cache, True, DEPTH, False, 1e-5)
    up = Linear(rows, MLP, HIDDEN, schemes.Q4_MIN, False, False, True, "silu", RMS)
    down = Linear(rows, HIDDEN, MLP, schemes.Q4_MIN, residual=True)
    made = [makers.linear(replace(up, scheme=scheme)) for scheme in SCHEMES.values()]
    made += [makers.linear(replace(down, scheme=scheme)) for scheme in SCHEMES.values()]
    made += [makers.linear(replace(down, prologue=one)) for one in PROLOGUES.values()]
    qkv = Linear(rows, 15 * DEPTH, HIDDEN, schemes.Q4_MIN, prologue=RMS)
    for append in (plain, replace(plain, normed=True), replace(plain, rotary=0)):
        made += [makers.append(append), makers.fused.project_append(ProjectAppend(qkv, append))]
    for window, softcap in ((0, 0.0), (48, 30.0)):
        made.append(makers.attend(Attend(rows, HEADS, cache, 0.125, window, softcap)))
    return [
        *made,
        makers.rms_norm(rows, HIDDEN, 1e-5),
        makers.layer_norm(rows, HIDDEN, 1e-5),
        makers.fused.add_norm(rows, HIDDEN, 1e-5),
        makers.fused.place(rows, DEPTH),
        makers.inputs(rows, CONTEXT),
        makers.embed(rows, VOCABULARY, HIDDEN, schemes.Q8),
        makers.adjust(VOCABULARY),
        makers.choose(VOCABULARY, CONTEXT),
    ]


@cache
def shaders(variant: str, rows: int) -> dict[str, Shader]:
    made = dict.fromkeys(kernels(VARIANTS[variant][0].kernels, rows))
    named = [replace(one, name=f"k{i}") for i, one in enumerate(made)]
    renamed = [
        replace(one, function=one.function.with_attr("global_symbol", one.name)) for one in named
    ]
    return compile_kernels(renamed)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("rows", [1, 128])
def test_every_kernel_is_valid(variant: str, rows: int) -> None:
    found = shaders(variant, rows)
    assert len(found) > 20
    assert refusals(found, VARIANTS[variant][1]) == {}


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "f32"])
def test_what_a_variant_needs_is_needed(variant: str) -> None:
    """Some kernel is refused where one of the features is missing, so each of them is used."""
    _, features = VARIANTS[variant]
    for missing in features:
        others = [feature for feature in features if feature != missing]
        refused = refusals(shaders(variant, 1), others)
        assert refused, f"{variant} does not use {missing}"


def test_the_validator_refuses() -> None:
    """Of a workgroup's invocations only some would take part."""
    ((name, valid),) = compile_kernels([webgpu(BASE).rms_norm(1, 64, 1e-5)]).items()
    wrong = replace(valid, text=valid.text.replace("workgroupBarrier();", "subgroupAdd(1);"))
    assert "subgroupAdd" in refusals({name: wrong}, [])[name]
    assert refusals({name: valid}, []) == {}
