"""What WGSL kernels may use besides what every device has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """Optional features of WGSL. Kernels that use none are the same in every language."""

    subgroups: bool = False  # for reductions


BASE = Language()
