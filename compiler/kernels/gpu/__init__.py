"""WebGPU kernels."""

from compiler.kernels.gpu import (
    append,
    attend,
    embed,
    keep,
    linear,
    norm,
    project,
    route,
    sample,
    splits,
    tilings,
    verify,
)

__all__ = [
    "append",
    "attend",
    "embed",
    "keep",
    "linear",
    "norm",
    "project",
    "route",
    "sample",
    "splits",
    "tilings",
    "verify",
]
