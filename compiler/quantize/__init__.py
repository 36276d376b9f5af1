"""How weights are coded and laid out, in NumPy alone.

Example::

    packed = pack(quantize(values, Q4_MIN, name="lm_head.weight"))
    Tensor([*values.shape], Q4_MIN, "blocked", packed.data.nbytes, packed.parts, shards=[...])
"""

from compiler.quantize.layout import Packed, pack, pack_plain, unpack
from compiler.quantize.schemes import (
    F16,
    F32,
    Q4,
    Q4_MIN,
    Q4_ZERO,
    Q8,
    Quantized,
    concat_rows,
    dequantize,
    fallback,
    quantize,
)

__all__ = [
    "F16",
    "F32",
    "Q4",
    "Q4_MIN",
    "Q4_ZERO",
    "Q8",
    "Packed",
    "Quantized",
    "concat_rows",
    "dequantize",
    "fallback",
    "pack",
    "pack_plain",
    "quantize",
    "unpack",
]
