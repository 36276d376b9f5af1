"""The hot kernels of each target, by what they compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from compiler.bundle.schema import Scheme
from compiler.kernels import cpu, gpu
from compiler.kernels.dsl import KernelFunction
from compiler.kernels.gpu.language import BASE, HALF, Language
from compiler.kernels.specs import Append, Attend, Combine, Linear, ProjectAppend, Routing


@dataclass(frozen=True)
class Fused:
    """Kernels of the operators that graph/prologue.py makes; `linear` then has prologues too."""

    add_norm: Callable[[int, int, float], KernelFunction]  # rows, columns, epsilon
    place: Callable[[int, int], KernelFunction]  # rows, rotary
    project_append: Callable[[ProjectAppend], KernelFunction]
    splits: Callable[[Attend], int]  # what `attend` is best split into
    combine: Callable[[Combine, int], KernelFunction]  # depth
    routing: Callable[[Linear], Routing | None]  # None: rows are best taken as they are
    route: Callable[[Routing, int], KernelFunction]  # tokens


@dataclass(frozen=True)
class Speculation:
    """Kernels of `verify_<N>`, in place of `inputs`, `adjust` and `choose`."""

    draft: Callable[[int, int], KernelFunction]  # rows, context
    adjust: Callable[[int, int, int], KernelFunction]  # vocabulary, context, rows
    choose: Callable[[int, int], KernelFunction]  # vocabulary, rows
    accept: Callable[[int, int, int], KernelFunction]  # vocabulary, context, rows


@dataclass(frozen=True)
class KernelSet:
    """One factory per operator. Operands are those each factory's docstring names."""

    inputs: Callable[[int, int], KernelFunction]  # rows, context
    text: Callable[[int, int], KernelFunction]  # the same, for `embed_<N>`
    whole: Callable[[int, int], KernelFunction]  # the same from the first position on
    embed: Callable[[int, int, int, Scheme], KernelFunction]  # rows, vocabulary, columns
    linear: Callable[[Linear], KernelFunction]
    rms_norm: Callable[[int, int, float], KernelFunction]  # rows, columns, epsilon
    layer_norm: Callable[[int, int, float], KernelFunction]
    append: Callable[[Append], KernelFunction]
    attend: Callable[[Attend], KernelFunction]
    adjust: Callable[[int], KernelFunction]  # vocabulary
    choose: Callable[[int, int], KernelFunction]  # vocabulary, context
    keep: Callable[[int], KernelFunction]  # size
    fused: Fused | None = None  # what graph/prologue.py makes, if the target has it
    speculation: Speculation | None = None  # if the target has it
    language: Language = BASE  # of WGSL
    half: bool = False  # whether products and the KV cache are in half precision
    cache_bytes: int = 4  # of a number in the KV cache


def webgpu(language: Language, vendor: str | None = None) -> KernelSet:
    """Kernels in WGSL, with what `language` has, tiled for adapters of `vendor` or for any."""

    reducing = Language(subgroups=language.subgroups)
    multiplying = Language(half=language.half)

    def linear(spec: Linear) -> KernelFunction:
        # Without a prologue nothing is reduced: the same kernel with and without subgroups.
        spoken = multiplying if spec.prologue.empty else language
        return gpu.linear.linear(spec, gpu.tilings.choose(spec, vendor), spoken)

    return KernelSet(
        inputs=gpu.embed.inputs,
        text=gpu.embed.text,
        whole=partial(gpu.embed.inputs, whole=True),
        embed=gpu.embed.embed,
        linear=linear,
        rms_norm=partial(gpu.norm.rms_norm, language=reducing),
        layer_norm=partial(gpu.norm.layer_norm, language=reducing),
        append=partial(gpu.append.append, language=language),
        attend=partial(gpu.attend.attend, language=language),
        adjust=gpu.sample.adjust,
        choose=partial(gpu.sample.choose, language=reducing),
        keep=gpu.keep.keep,
        fused=_fused(language, vendor),
        speculation=Speculation(
            draft=gpu.verify.draft,
            adjust=gpu.sample.adjust_rows,
            choose=partial(gpu.sample.choose_rows, language=reducing),
            accept=gpu.verify.accept,
        ),
        language=language,
        half=language.half is not None,
        cache_bytes=4 if language.half is None else language.half.bytes,
    )


def _fused(language: Language, vendor: str | None) -> Fused:
    def project_append(spec: ProjectAppend) -> KernelFunction:
        tiling = gpu.tilings.choose(spec, vendor)
        return gpu.project.project_append(spec, tiling, language)

    return Fused(
        add_norm=partial(gpu.norm.add_norm, language=Language(subgroups=language.subgroups)),
        place=gpu.append.place,
        project_append=project_append,
        splits=partial(gpu.tilings.splits, vendor=vendor),
        combine=gpu.splits.combine,
        routing=gpu.route.routing,
        route=gpu.route.route,
    )


WEBGPU = webgpu(BASE)
WEBGPU_SUBGROUPS = webgpu(Language(subgroups=True))
WEBGPU_HALF = webgpu(Language(half=HALF))
WEBGPU_HALF_SUBGROUPS = webgpu(Language(subgroups=True, half=HALF))
WASM = KernelSet(
    inputs=cpu.embed.inputs,
    text=cpu.embed.text,
    whole=partial(cpu.embed.inputs, whole=True),
    embed=cpu.embed.embed,
    linear=cpu.linear.linear,
    rms_norm=cpu.norm.rms_norm,
    layer_norm=cpu.norm.layer_norm,
    append=cpu.append.append,
    attend=cpu.attend.attend,
    adjust=cpu.sample.adjust,
    choose=cpu.sample.choose,
    keep=cpu.keep.keep,
)
