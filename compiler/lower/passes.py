"""Passes of TVM that kernels of every backend go through, in two stretches of its own pipelines."""

from __future__ import annotations

from tvm import ir, s_tir, tirx

# Blocks to loops over flat buffers, indices in 32 bits, vectors where lanes are.
FLATTEN: tuple[ir.transform.Pass, ...] = (
    s_tir.transform.LowerMatchBuffer(),
    s_tir.transform.StmtSimplify(),
    s_tir.transform.LowerOpaqueBlock(),
    tirx.transform.FlattenBuffer(),
    tirx.transform.NarrowDataType(32),
    s_tir.transform.LoopPartition(),
    tirx.transform.VectorizeLoop(True),
)
# What makes the loops short: no step twice, none without effect, common expressions named.
TIDY: tuple[ir.transform.Pass, ...] = (
    tirx.transform.UnrollLoop(),
    s_tir.transform.RenormalizeSplitPattern(),
    tirx.transform.StmtSimplify(),
    tirx.transform.RemoveNoOp(),
    s_tir.transform.RewriteUnsafeSelect(),
    tirx.transform.CommonSubexprElim(),
)
