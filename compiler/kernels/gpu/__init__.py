"""WebGPU kernels."""

from compiler.kernels.gpu import (
    append,
    attend,
    embed,
    linear,
    norm,
    project,
    sample,
    splits,
    tilings,
    verify,
)

__all__ = [
    "append",
    "attend",
    "embed",
    "linear",
    "norm",
    "project",
    "sample",
    "splits",
    "tilings",
    "verify",
]
