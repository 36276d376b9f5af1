"""What no pass recognised, lowered by TVM: legalise, fuse, schedule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import Any, Literal, TypeAlias

import tvm
from tvm import relax, s_tir, tirx
from tvm.ir.transform import Sequential
from tvm.s_tir import dlight
from tvm.target import Target

from compiler.errors import UnsupportedModelError
from compiler.graph.program import Program
from compiler.graph.rewrite import rewrite
from compiler.kernels.dsl import KernelFunction
from compiler.lower import cpu_schedule, plain, precise, selection
from compiler.lower.truth import constants_as_integers, keep_as_integers
from compiler.lower.walk import statements

Backend: TypeAlias = Literal["webgpu", "wasm"]

LEGALISATIONS = plain.LEGALISATIONS | precise.LEGALISATIONS | selection.LEGALISATIONS

TARGETS: dict[Backend, Target] = {"webgpu": Target("webgpu", host="llvm"), "wasm": Target("llvm")}


def legalise(program: Program, backend: Backend) -> Program:
    """Every remaining Relax operator becomes a call of a scheduled PrimFunc. Reshapes stay: they
    cost nothing in a plan.

    Raises UnsupportedModelError naming an operator TVM cannot lower.
    """
    passes = Sequential(
        [
            relax.transform.LegalizeOps(LEGALISATIONS, skip_ops=["relax.reshape"]),
            relax.transform.AnnotateTIROpPattern(),
            relax.transform.FoldConstant(),
            tvm.transform.module_pass(lambda module, _: constants_as_integers(module), opt_level=0),
            relax.transform.AnnotateTIROpPattern(),
            relax.transform.FuseOps(),
            relax.transform.FuseTIR(),
            relax.transform.DeadCodeElimination(["main"]),
            tirx.transform.ForceNarrowIndexToInt32(),
        ]
    )
    try:
        with TARGETS[backend]:
            # Parameters of kernels are named after variables; TVM's own in between are `lv`.
            named = rewrite(program, keep_as_integers, "value").module
            module = _SCHEDULES[backend](passes(named))
    except Exception as error:  # TVM raises many kinds, all about an operator
        reason = str(error).partition(". ")[0]  # the function's text follows
        if "int64" in reason:
            reason = f"64-bit integers have no place in a plan: {reason}"
        raise UnsupportedModelError(f"TVM cannot lower this model: {reason}") from error
    _refuse_unlowered(module)
    return replace(program, module=module)


class _IfItCan:
    """A rule of dlight that leaves alone what it fails at, at once or where threads are to reduce
    together: the next one may know better."""

    def __init__(self, rule: Any) -> None:
        self._rule = rule

    def apply(self, *arguments: Any) -> Any:
        try:
            schedule = self._rule.apply(*arguments)
            if schedule is not None:
                _REDUCED(schedule.mod)
            return schedule
        except Exception:  # failed assertions, missing keys, TVM's own errors
            return None


_REDUCED = Sequential(
    [s_tir.transform.CanonicalizeLoop(), s_tir.transform.LowerCrossThreadReduction()]
)
_SCHEDULES: dict[Backend, Callable[[tvm.IRModule], tvm.IRModule]] = {
    "webgpu": dlight.ApplyDefaultSchedule(
        _IfItCan(dlight.gpu.Matmul()),
        _IfItCan(dlight.gpu.GEMV()),
        _IfItCan(dlight.gpu.Reduction()),
        _IfItCan(dlight.gpu.GeneralReduction()),
        dlight.gpu.Fallback(),
    ),
    "wasm": cpu_schedule.schedule,
}


def _refuse_unlowered(module: tvm.IRModule) -> None:
    for block in module["main"].body.blocks:
        for binding in block.bindings:
            op = getattr(binding.value, "op", None)
            name = op.name if isinstance(op, tvm.ir.Op) else ""
            lowered = {"relax.call_tir", "relax.call_dps_packed", "relax.reshape"}
            if name and name not in lowered:
                raise UnsupportedModelError(f"operator {name} has no lowering to a kernel")


def kernel_of(name: str, function: tirx.PrimFunc, outputs: int) -> KernelFunction:
    """A scheduled PrimFunc as a kernel: buffers in order of its parameters, outputs last."""
    arguments = _distinct(buffer_names(function))
    return KernelFunction(
        name,
        function.with_attr("global_symbol", name),
        _grid(function),
        arguments,
        arguments[len(arguments) - outputs :],
    )


def buffer_names(function: tirx.PrimFunc) -> list[str]:
    """Of its buffers, in order; other parameters are a CPU's range of items."""
    buffers = [param for param in function.params if isinstance(param.ty, tirx.BufferType)]
    return [_safe(buffer.name) for buffer in buffers]


def _distinct(names: list[str]) -> tuple[str, ...]:
    """As TVM tells parameters of one name apart, such as those of x beside x: by their first use,
    so that only the same value may stand behind all of them."""
    counts: dict[str, int] = {}
    found = []
    for name in names:
        count = counts.get(name, 0)
        counts[name] = count + 1
        found.append(f"{name}_{count}" if count else name)
    if len(set(found)) < len(found):
        raise UnsupportedModelError(f"buffers of a kernel are named alike: {', '.join(names)}")
    return tuple(found)


def require_one_value(names: Sequence[str], values: Sequence[Any]) -> None:
    """Refuses a kernel with two buffers of one name and different values for them."""
    known: dict[str, Any] = {}
    for name, value in zip(names, values, strict=True):
        if known.setdefault(name, value) != value:
            raise UnsupportedModelError(f"two buffers of a kernel are both named {name}")


def _safe(name: str) -> str:
    return name.replace(".", "_")


def _grid(function: tirx.PrimFunc) -> tuple[int, int, int]:
    """Items to share on a CPU, else extents of the block indices bound anywhere."""
    if (items := function.attrs.get(cpu_schedule.ITEMS)) is not None:
        return int(items), 1, 1
    grid = {"blockIdx.x": 1, "blockIdx.y": 1, "blockIdx.z": 1}
    for statement in statements(function.body):
        binding = getattr(statement, "thread_binding", None)
        if binding is not None and (tag := str(binding.thread_tag)) in grid:
            grid[tag] = max(grid[tag], int(statement.extent))
    x, y, z = grid.values()
    return x, y, z


def device_bytes(kind: Any) -> int:
    """Of a tensor of this type. Raises UnsupportedModelError for one that no buffer holds."""
    shape = [int(extent) for extent in kind.shape]
    if str(kind.dtype) not in ("float32", "int32", "uint32"):
        raise UnsupportedModelError(f"{kind.dtype} values of shape {shape} in device memory")
    return prod(shape) * 4
