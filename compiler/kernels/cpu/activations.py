"""Activation functions on four lanes."""

from __future__ import annotations

from collections.abc import Callable

from tvm import tirx

from compiler.kernels.cpu.dsl import exp, fma, splat
from compiler.kernels.dsl import Expr, let


def tanh(x: Expr) -> Expr:
    """1 - 2 / (exp(2x) + 1), with exp kept from overflowing."""
    return splat(1.0) - splat(2.0) / (exp(let(x * splat(2.0))) + splat(1.0))


def _silu(x: Expr) -> Expr:
    return x / (splat(1.0) + exp(let(splat(0.0) - x)))


def _gelu_tanh(x: Expr) -> Expr:
    inner = (x + x * x * x * splat(0.044715)) * splat(0.7978845608028654)
    return x * splat(0.5) * (splat(1.0) + tanh(inner))


def _gelu(x: Expr) -> Expr:
    """x Phi(x) with erf by Abramowitz and Stegun 7.1.26, absolute error below 1.5e-7."""
    z = let(tirx.abs(x) * splat(0.7071067811865476))
    t = let(splat(1.0) / fma(z, splat(0.3275911), splat(1.0)))
    series = splat(1.061405429)
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = fma(series, t, splat(coefficient))
    erf = let(splat(1.0) - series * t * exp(let(splat(0.0) - z * z)))
    signed = tirx.Select(x < splat(0.0), splat(0.0) - erf, erf)
    return x * splat(0.5) * (splat(1.0) + signed)


ACTIVATIONS: dict[str, Callable[[Expr], Expr]] = {
    "none": lambda x: x,
    "silu": _silu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "relu": lambda x: tirx.max(x, splat(0.0)),
}
