"""The hot kernels of each target, by what they compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from compiler.bundle.schema import Scheme
from compiler.kernels import cpu, gpu
from compiler.kernels.dsl import KernelFunction
from compiler.kernels.specs import Append, Attend, Combine, Linear, ProjectAppend


@dataclass(frozen=True)
class Fused:
    """Kernels of the operators that graph/prologue.py makes; `linear` then has prologues too."""

    add_norm: Callable[[int, int, float], KernelFunction]  # rows, columns, epsilon
    place: Callable[[int, int], KernelFunction]  # rows, rotary
    project_append: Callable[[ProjectAppend], KernelFunction]
    splits: Callable[[Attend], int]  # what `attend` is best split into
    combine: Callable[[Combine, int], KernelFunction]  # depth


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
    embed: Callable[[int, int, int, Scheme], KernelFunction]  # rows, vocabulary, columns
    linear: Callable[[Linear], KernelFunction]
    rms_norm: Callable[[int, int, float], KernelFunction]  # rows, columns, epsilon
    layer_norm: Callable[[int, int, float], KernelFunction]
    append: Callable[[Append], KernelFunction]
    attend: Callable[[Attend], KernelFunction]
    adjust: Callable[[int], KernelFunction]  # vocabulary
    choose: Callable[[int, int], KernelFunction]  # vocabulary, context
    fused: Fused | None = None  # what graph/prologue.py makes, if the target has it
    speculation: Speculation | None = None  # if the target has it


WEBGPU = KernelSet(
    inputs=gpu.embed.inputs,
    embed=gpu.embed.embed,
    linear=lambda spec: gpu.linear.linear(spec, gpu.linear.default_tiling(spec)),
    rms_norm=gpu.norm.rms_norm,
    layer_norm=gpu.norm.layer_norm,
    append=gpu.append.append,
    attend=gpu.attend.attend,
    adjust=gpu.sample.adjust,
    choose=gpu.sample.choose,
    fused=Fused(
        add_norm=gpu.norm.add_norm,
        place=gpu.append.place,
        project_append=lambda spec: gpu.project.project_append(
            spec, gpu.project.default_tiling(spec)
        ),
        splits=gpu.attend.default_splits,
        combine=gpu.splits.combine,
    ),
    speculation=Speculation(
        draft=gpu.verify.draft,
        adjust=gpu.sample.adjust_rows,
        choose=gpu.sample.choose_rows,
        accept=gpu.verify.accept,
    ),
)
WASM = KernelSet(
    inputs=cpu.embed.inputs,
    embed=cpu.embed.embed,
    linear=cpu.linear.linear,
    rms_norm=cpu.norm.rms_norm,
    layer_norm=cpu.norm.layer_norm,
    append=cpu.append.append,
    attend=cpu.attend.attend,
    adjust=cpu.sample.adjust,
    choose=cpu.sample.choose,
)
