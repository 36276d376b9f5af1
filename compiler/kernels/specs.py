"""Shapes and settings of the hot kernels, the same for every target."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.bundle.schema import ALIGN, Scheme


@dataclass(frozen=True)
class Sum:
    """x is skip + rms_norm(x) weight: a norm after a layer, and the residual it is added to."""

    epsilon: float
    kept: bool  # whether the sum is written too, for who else reads it


@dataclass(frozen=True)
class Combine:
    """x is one token's attention, each split's softmax being of its own positions alone."""

    heads: int
    splits: int


@dataclass(frozen=True)
class Prologue:
    """What a linear layer does to its input first, every workgroup for itself."""

    norm: str = "none"  # "none", "rms", "layer"
    epsilon: float = 0.0
    sum: Sum | None = None  # before the norm
    combine: Combine | None = None  # alone

    @property
    def empty(self) -> bool:
        return self.norm == "none" and self.sum is None and self.combine is None


@dataclass(frozen=True)
class Linear:
    """One linear layer. `width` is N of the result.

    With `experts`, weight (E N, K) holds their matrices, an operand names the one of each row of
    the result, and `shared` rows in a row of the result are of one row of x.
    """

    rows: int  # M
    width: int  # N
    columns: int  # K
    scheme: Scheme
    bias: bool = False
    residual: bool = False
    gated: bool = False
    activation: str = "none"
    prologue: Prologue = Prologue()
    experts: int = 0
    shared: int = 1

    @property
    def inputs(self) -> int:
        """Rows of x."""
        return self.rows // self.shared

    @property
    def weight_rows(self) -> int:
        """Rows of the weight."""
        return max(1, self.experts) * self.stacked * self.width

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
        before = "" if self.prologue.norm == "none" else f"{self.prologue.norm}_"
        before = before if self.prologue.sum is None else f"sum_{before}"
        before = before if self.prologue.combine is None else f"combine_{before}"
        extras += f"_of_{self.experts}" if self.experts else ""
        return (
            f"{before}{kind}_{coding}_{self.rows}x{self.width}x{self.columns}{activation}{extras}"
        )


TILE_FIELDS = 3  # its expert, the first of its places in the order, and how many they are


@dataclass(frozen=True)
class Routing:
    """Rows with experts, brought together by expert and cut into tiles. The same for all products
    of a layer."""

    rows: int
    experts: int
    tile: int  # rows of one expert, at most

    @property
    def tiles(self) -> int:
        """As many as there can be: each expert's last one may be short."""
        used = min(self.experts, self.rows)
        return used + (self.rows - used) // self.tile

    @property
    def size(self) -> int:
        """Values of the order: the rows by expert, then the tiles."""
        return self.rows + TILE_FIELDS * self.tiles


@dataclass(frozen=True)
class CacheShape:
    """The KV cache of one layer: (context, 2, kv_heads, depth), keys at 0, values at 1.

    Position-major, so that addresses do not depend on the context chosen at load time.
    """

    context: int  # the largest that can be chosen; only an upper bound for the type
    kv_heads: int
    depth: int
    bytes: int = 4  # of a number: f32, or f16

    @property
    def bytes_per_token(self) -> int:
        return 2 * self.kv_heads * self.depth * self.bytes


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
    """Attention of one layer.

    With several `splits`, each looks at a part of the positions: the result is one per split, and
    the logarithms of their sums of exp(scores) say how to weigh them (`Combine`).
    """

    rows: int
    heads: int
    cache: CacheShape
    scale: float
    window: int  # 0: all positions
    softcap: float  # 0: off
    splits: int = 1  # more: of a single row only
    slopes: bool = False  # an operand has each head's, times how far back a position is
    sinks: bool = False  # an operand has each head's score of a position that is not there
    # Otherwise a token sees all COUNT tokens of the run, and `window` reaches as far ahead as back.
    causal: bool = True


@dataclass(frozen=True)
class ProjectAppend:
    """A linear layer whose result, query, key and value of one layer, goes straight to `append`."""

    linear: Linear
    append: Append

    @property
    def name(self) -> str:
        """For people: profiles, error messages."""
        normed = "_normed" if self.append.normed else ""
        return f"project_{self.linear.name}_append_{self.append.cache.depth}{normed}"

    @property
    def sum_start(self) -> int:
        """Where the prologue's sum begins in the result, if kept: values after the query's start,
        at an offset that bindings may have."""
        size = self.append.rows * self.append.heads * self.append.cache.depth
        return -(-size * 4 // ALIGN) * ALIGN // 4

    @property
    def size(self) -> int:
        """Values in the result."""
        before = self.linear.prologue.sum
        if before is not None and before.kept:
            return self.sum_start + self.linear.rows * self.linear.columns
        return self.append.rows * self.append.heads * self.append.cache.depth


def vectors(linear: Linear, heads: Append | None = None) -> dict[str, int]:
    """Lengths of the vectors that a linear layer with a prologue reads, in the order in which one
    buffer holds them: a kernel of a fused layer has no bindings to spare."""
    before, columns = linear.prologue, linear.columns
    normed = heads.cache.depth if heads is not None and heads.normed else 0
    lengths = {
        "sum": columns if before.sum is not None else 0,
        "norm": columns if before.norm != "none" else 0,
        "norm_bias": columns if before.norm == "layer" else 0,
        "bias": linear.stacked * linear.width if linear.bias else 0,
        "query_norm": normed,
        "key_norm": normed,
    }
    return {name: length for name, length in lengths.items() if length}
