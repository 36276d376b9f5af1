"""Lowerings of elementary functions to what WGSL computes precisely.

WGSL leaves sin and cos an absolute error of 2^-11 and nothing at all outside [-pi, pi] (WGSL
specification, 15.7.4.1), which is far too coarse for rotary embedding; tanh may overflow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from tvm import relax, te, tirx, topi

from compiler.graph import ops

PIECES = 4
PIECE_BITS = 8  # times a quadrant below 2^16 still fits the 24 bits of an f32


def half_pi_pieces() -> list[float]:
    """pi / 2 as a sum of short f32s, whose products with small integers are exact, and a rest
    (Cody and Waite, Software Manual for the Elementary Functions, 1980)."""
    rest, pieces = math.pi / 2, []
    for _ in range(PIECES - 1):
        exponent = math.floor(math.log2(rest))
        unit = 2.0 ** (exponent - PIECE_BITS + 1)
        pieces.append(math.floor(rest / unit) * unit)
        rest -= pieces[-1]
    return [*pieces, float(np.float32(rest))]


def sine(x: Any, quadrant_offset: int) -> Any:
    """sin(x + quadrant_offset pi / 2) to about 1e-7, for |x| up to 100,000.

    Range reduction to [-pi/4, pi/4], then the Taylor polynomials to degree 9 and 8: their first
    omitted terms are below 2e-9 and 3e-8 there.
    """
    quadrant = tirx.round(x * tirx.const(2 / math.pi, "float32"))
    r = x
    for piece in half_pi_pieces():
        r = r - quadrant * _exact(piece)
    square = r * r
    sin = r * _polynomial(square, [(-1) ** i / math.factorial(2 * i + 1) for i in range(5)])
    cos = _polynomial(square, [(-1) ** i / math.factorial(2 * i) for i in range(5)])
    turn = (quadrant.astype("int32") + quadrant_offset) & 3
    value = tirx.Select((turn & 1) == 0, sin, cos)
    return tirx.Select((turn & 2) == 0, value, -value)


def _exact(value: float) -> Any:
    """An f32 constant bit for bit: TVM writes seven digits into WGSL, which may be another f32."""
    word = int(np.float32(value).view(np.uint32))
    return tirx.reinterpret("float32", tirx.const(word, "uint32"))


def _polynomial(x: Any, coefficients: list[float]) -> Any:
    total = tirx.const(coefficients[-1], "float32")
    for coefficient in reversed(coefficients[:-1]):
        total = total * x + tirx.const(coefficient, "float32")
    return total


def tanh(x: Any) -> Any:
    """1 - 2 / (exp(2x) + 1), with exp kept from overflowing."""
    bounded = tirx.min(x, tirx.const(40, "float32"))
    one, two = tirx.const(1, "float32"), tirx.const(2, "float32")
    return one - two / (tirx.exp(bounded * two) + one)


def _power(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    """Squares and cubes as products: WGSL's pow goes through log2, which negative bases lack."""
    exponent = ops.constant(call.args[1])
    if exponent not in (2.0, 3.0):
        return builder.call_te(topi.power, *call.args)

    def compute(x: te.Tensor) -> te.Tensor:
        def product(*i: Any) -> Any:
            return x(*i) * x(*i) if exponent == 2.0 else x(*i) * x(*i) * x(*i)

        return te.compute(x.shape, product, name="y")

    return builder.call_te(compute, call.args[0], primfunc_name_hint="power")


def _elementwise(name: str, function: Callable[[Any], Any]) -> Any:
    """A Relax legalisation that computes `function` of each element."""

    def compute(x: te.Tensor) -> te.Tensor:
        return te.compute(x.shape, lambda *i: function(x(*i)), name="y")

    def legalise(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
        return builder.call_te(compute, call.args[0], primfunc_name_hint=name)

    return legalise


LEGALISATIONS = {
    "relax.power": _power,
    "relax.sin": _elementwise("sin", partial(sine, quadrant_offset=0)),
    "relax.cos": _elementwise("cos", partial(sine, quadrant_offset=1)),
    "relax.tanh": _elementwise("tanh", tanh),
}
