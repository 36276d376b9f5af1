"""Shapes and settings of the hot kernels, the same for every target."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.bundle.schema import Scheme


@dataclass(frozen=True)
class Linear:
    """One linear layer. `width` is N of the result."""

    rows: int  # M
    width: int  # N
    columns: int  # K
    scheme: Scheme
    bias: bool = False
    residual: bool = False
    gated: bool = False
    activation: str = "none"

    @property
    def stacked(self) -> int:
        """Weight matrices on top of each other: gate and up, or one."""
        return 2 if self.gated else 1

    @property
    def name(self) -> str:
        """For people: profiles, error messages."""
        kind = "gated" if self.gated else "linear"
        coding = f"q{self.scheme.bits}" if self.scheme.group else f"f{self.scheme.bits}"
        extras = "".join(f"_{e}" for e in ("bias", "residual") if getattr(self, e))
        activation = "" if self.activation == "none" else f"_{self.activation}"
        return f"{kind}_{coding}_{self.rows}x{self.width}x{self.columns}{activation}{extras}"


@dataclass(frozen=True)
class CacheShape:
    """The KV cache of one layer: (context, 2, kv_heads, depth) f32, keys at 0, values at 1.

    Position-major, so that addresses do not depend on the context chosen at load time.
    """

    context: int  # the largest that can be chosen; only an upper bound for the type
    kv_heads: int
    depth: int

    @property
    def bytes_per_token(self) -> int:
        return 2 * self.kv_heads * self.depth * 4


@dataclass(frozen=True)
class Append:
    """Query/key norms, rotary embedding and the write to the KV cache, of one layer."""

    rows: int
    heads: int
    cache: CacheShape
    packed: bool  # one operand (rows, (heads + 2 kv_heads) * depth)
    rotary: int  # leading values of a head that are rotated; 0: none
    normed: bool  # RMSNorm over each head of query and key
    epsilon: float


@dataclass(frozen=True)
class Attend:
    """Attention of one layer."""

    rows: int
    heads: int
    cache: CacheShape
    scale: float
    window: int  # 0: all positions
    softcap: float  # 0: off
