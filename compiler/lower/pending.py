"""What waits for the linear layers that read it."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import relax

from compiler.kernels.specs import Combine, Linear, Sum
from compiler.lower.launches import Value


@dataclass(frozen=True)
class Layer:
    """A linear layer on its way to a launch."""

    spec: Linear
    inputs: list[Value]  # x, skip, log sums, codes, scales
    vectors: list[relax.Var]  # in the order of `specs.vectors`
    residual: Value | None
    sum: Value | None  # where it is kept


@dataclass(frozen=True)
class PendingSum:
    """skip + rms_norm(x) weight, left to the layer that reads it first."""

    x: Value
    skip: Value
    weight: relax.Var
    spec: Sum


@dataclass(frozen=True)
class PendingSplits:
    """Attention left in parts to the layers that read it."""

    log_sums: Value
    spec: Combine
