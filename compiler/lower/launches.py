"""A function as a straight list of kernel launches over named values."""

from __future__ import annotations

from dataclasses import dataclass, field

from compiler.kernels.dsl import KernelFunction
from compiler.kernels.specs import Attend, Linear, ProjectAppend


@dataclass(frozen=True)
class Value:
    """A buffer as a step sees it: state and weights by name, scratch by number."""

    kind: str  # "state", "weight", "scratch"
    name: str
    bytes: int
    part: str = ""  # of a weight
    offset: int = 0  # into a scratch buffer; a multiple of ALIGN


@dataclass(frozen=True)
class Launch:
    """One kernel launch; `values` follow the kernel's arguments."""

    kernel: KernelFunction
    values: tuple[Value, ...]
    layer: int | None
    spec: Linear | Attend | ProjectAppend | None = None  # of what has tilings or self-tests
    reads: float = 1.0  # the share of its weights that one token needs: a row, or some experts
    by_token: bool = True  # whether fewer tokens need less of the kernel's rows


@dataclass
class Listing:
    """The launches of one function and what it leaves behind."""

    rows: int
    launches: list[Launch] = field(default_factory=list)
    outputs: dict[str, Value] = field(default_factory=dict)


CONTROL = Value("state", "control", 0)
TOKENS = Value("state", "tokens", 0)
SAMPLING = Value("state", "sampling", 0)
COUNTS = Value("state", "counts", 0)
