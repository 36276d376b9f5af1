"""The KV cache of one layer: (context, 2, kv_heads, depth) f32, keys at 0, values at 1.

Position-major, so that addresses do not depend on the context chosen at load time.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CacheShape:
    """Extents of one layer's cache."""

    context: int  # the largest that can be chosen; only an upper bound for the type
    kv_heads: int
    depth: int

    @property
    def bytes_per_token(self) -> int:
        return 2 * self.kv_heads * self.depth * 4
