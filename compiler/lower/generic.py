"""What no pass recognised, lowered by TVM: legalise, fuse, schedule."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax, tirx
from tvm.ir.transform import Sequential
from tvm.s_tir import dlight
from tvm.target import Target

from compiler.errors import UnsupportedModelError
from compiler.graph.program import Program
from compiler.kernels.dsl import KernelFunction
from compiler.lower.precise import LEGALISATIONS

TARGET = Target("webgpu", host="llvm")


def legalise(program: Program) -> Program:
    """Every remaining Relax operator becomes a call of a scheduled PrimFunc. Reshapes stay: they
    cost nothing in a plan.

    Raises UnsupportedModelError naming an operator TVM cannot lower.
    """
    passes = Sequential(
        [
            relax.transform.LegalizeOps(LEGALISATIONS, skip_ops=["relax.reshape"]),
            relax.transform.AnnotateTIROpPattern(),
            relax.transform.FoldConstant(),
            relax.transform.FuseOps(),
            relax.transform.FuseTIR(),
            relax.transform.DeadCodeElimination(["main"]),
            tirx.transform.ForceNarrowIndexToInt32(),
        ]
    )
    try:
        module = _lowered(program.module, passes)
    except Exception as error:  # TVM raises many kinds, all about an operator
        reason = str(error).partition(". ")[0]  # the function's text follows
        if "int64" in reason:
            reason = f"64-bit integers have no place in WebGPU: {reason}"
        raise UnsupportedModelError(f"TVM cannot lower this model: {reason}") from error
    _refuse_unlowered(module)
    return Program(module, program.weights)


def _lowered(module: tvm.IRModule, passes: Sequential) -> tvm.IRModule:
    with TARGET:
        return dlight.ApplyDefaultSchedule(
            dlight.gpu.Matmul(),
            dlight.gpu.GEMV(),
            dlight.gpu.Reduction(),
            dlight.gpu.GeneralReduction(),
            dlight.gpu.Fallback(),
        )(passes(module))


def _refuse_unlowered(module: tvm.IRModule) -> None:
    for block in module["main"].body.blocks:
        for binding in block.bindings:
            op = getattr(binding.value, "op", None)
            name = op.name if isinstance(op, tvm.ir.Op) else ""
            lowered = {"relax.call_tir", "relax.call_dps_packed", "relax.reshape"}
            if name and name not in lowered:
                raise UnsupportedModelError(f"operator {name} has no lowering to WebGPU")


def kernel_of(name: str, function: tirx.PrimFunc, outputs: int) -> KernelFunction:
    """A scheduled PrimFunc as a kernel: buffers in order of its parameters, outputs last."""
    arguments = tuple(_safe(buffer.name) for buffer in function.params)
    grid = {"blockIdx.x": 1, "blockIdx.y": 1, "blockIdx.z": 1}
    _collect_grid(function.body, grid)
    x, y, z = grid.values()
    return KernelFunction(
        name,
        function.with_attr("global_symbol", name),
        (x, y, z),
        arguments,
        arguments[len(arguments) - outputs :],
    )


def _safe(name: str) -> str:
    return name.replace(".", "_")


def _collect_grid(node: Any, grid: dict[str, int]) -> None:
    """Extents of the block indices bound anywhere in a statement."""
    for tag, extent in _bindings(node):
        if tag in grid:
            grid[tag] = max(grid[tag], int(extent))


# Attributes of TIR statements that hold further statements.
_CHILDREN = ("body", "block", "then_case", "else_case", "init", "seq")


def _bindings(node: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    if node is None:
        return found
    binding = getattr(node, "thread_binding", None)
    if binding is not None:
        found.append((str(binding.thread_tag), node.extent))
    for name in _CHILDREN:
        child = getattr(node, name, None)
        if child is None:
            continue
        for item in child if name == "seq" else [child]:
            found += _bindings(item)
    return found
