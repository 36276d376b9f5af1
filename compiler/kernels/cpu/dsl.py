"""CPU kernels: vectors of four lanes, and a range of items so that threads can share the work.

A kernel is built inside `with kernel(name) as k`: declare buffers with `k.buffer`, open the items
with `with k.items(count) as item`, and write statements; statements between the buffers and the
items run once per call. On wasm32 a `float32x4` is one SIMD register. Wider vectors are avoided:
LLVM takes conversions of them apart lane by lane.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.tirx.script.builder import ir as T

from compiler.kernels.dsl import Expr, KernelBuilder, KernelFunction, f32, let, store
from compiler.kernels.dsl import finished as finished  # kernels import it from here

LANES = 4
HALF_UNIT = 2.0**112


class Builder(KernelBuilder):
    """What a kernel under construction knows about itself."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.count = 1

    @contextmanager
    def call(self) -> Iterator[None]:
        """Ends the buffers: what follows are the statements of one call."""
        self._begin, self._end = T.arg("begin", T.int32()), T.arg("end", T.int32())
        yield

    @contextmanager
    def items(self, count: int) -> Iterator[Expr]:
        """The loop over this call's share of `count` items."""
        self.count = count
        with T.serial(self._end - self._begin) as step:
            yield let(self._begin + step)

    @contextmanager
    def blocks(self, count: int, size: int) -> Iterator[tuple[Expr, Expr]]:
        """The same in blocks of up to `size` items: the first of each, and how many there are."""
        self.count = count
        with T.serial((self._end - self._begin + (size - 1)) // size) as step:
            first = let(self._begin + step * size)
            yield first, let(tirx.min(size, self._end - first))

    def register(self, initial: Expr | None = None, dtype: str = "float32x4") -> Register:
        """A variable: it stays in a register, because it is only indexed with 0."""
        register = Register(T.alloc_buffer((1,), dtype, scope="global"))
        if initial is not None:
            register.set(initial)
        return register

    def workspace(self, shape: Sequence[int], dtype: str = "float32") -> Expr:
        """Memory of this thread; its content is undefined at the start of a call."""
        return T.alloc_buffer(tuple(shape), dtype, scope="global")


class Register:
    """One mutable value."""

    def __init__(self, buffer: Expr) -> None:
        self._buffer = buffer

    @property
    def value(self) -> Expr:
        return self._buffer[0]

    def set(self, value: Expr) -> None:
        store(self._buffer, value, 0)

    def add(self, value: Expr) -> None:
        self.set(self.value + value)

    def add_product(self, a: Expr, b: Expr) -> None:
        self.set(fma(a, b, self.value))


@contextmanager
def kernel(name: str) -> Iterator[Builder]:
    """Builds a kernel; afterwards `result` of the yielded builder holds it."""
    builder = Builder(name)
    with IRBuilder() as ir, T.prim_func(s_tir=True):
        T.func_name(name)
        T.func_attr({"global_symbol": name, "tirx.noalias": True})
        yield builder
    builder.result = KernelFunction(
        name, ir.get(), (builder.count, 1, 1), tuple(builder.arguments), tuple(builder.writes)
    )


def hold(value: Expr) -> Expr:
    """`value` in a register. TVM spells a `let` out again at each of its uses, which grows beyond
    measure where such values follow from each other."""
    register = Register(T.alloc_buffer((1,), str(value.ty.dtype), scope="global"))
    register.set(value)
    return register.value


def load(buffer: Expr, *indices: Expr) -> Expr:
    """Four neighbours along the last axis, from `indices` on."""
    return buffer[(*indices[:-1], tirx.Ramp(indices[-1], 1, LANES))]


def store4(buffer: Expr, value: Expr, *indices: Expr) -> None:
    store(buffer, value, *indices[:-1], tirx.Ramp(indices[-1], 1, LANES))


def splat(value: Expr | float) -> Expr:
    """The same value in all four lanes."""
    return tirx.Broadcast(f32(value) if isinstance(value, float) else value, LANES)


def isplat(value: int, dtype: str = "int32") -> Expr:
    return tirx.Broadcast(tirx.const(value, dtype), LANES)


def fma(a: Expr, b: Expr, c: Expr) -> Expr:
    """a b + c on four lanes; one rounding where the target has relaxed SIMD, otherwise two."""
    return tirx.call_intrin("float32x4", "tirx.fma", a, b, c)


def lane(vector: Expr, index: int) -> Expr:
    return tirx.Shuffle([vector], [index])


def bits(value: Expr, dtype: str) -> Expr:
    """The same bits as another type of the same width."""
    return tirx.reinterpret(dtype, value)


def lane_sum(vector: Expr) -> Expr:
    """The sum of four lanes, a scalar."""
    vector = let(vector)
    return (lane(vector, 0) + lane(vector, 2)) + (lane(vector, 1) + lane(vector, 3))


def transpose(vectors: Sequence[Expr]) -> list[Expr]:
    """Four vectors to four: lane j of vector i to lane i of vector j."""
    a, b, c, d = vectors
    ab = [let(tirx.Shuffle([a, b], lanes)) for lanes in ([0, 4, 1, 5], [2, 6, 3, 7])]
    cd = [let(tirx.Shuffle([c, d], lanes)) for lanes in ([0, 4, 1, 5], [2, 6, 3, 7])]
    return [
        let(tirx.Shuffle([ab[half], cd[half]], lanes))
        for half in (0, 1)
        for lanes in ([0, 1, 4, 5], [2, 3, 6, 7])
    ]


def lane_sums(vectors: Sequence[Expr]) -> Expr:
    """Four vectors to one: lane i is the sum of the lanes of vector i."""
    a, b, c, d = transpose([let(vector) for vector in vectors])
    return let((a + c) + (b + d))


def vector_of(values: Sequence[Expr]) -> Expr:
    """Four scalars as one vector."""
    return tirx.Shuffle(list(values), [0, 1, 2, 3])


def halves(words: Expr) -> Expr:
    """f16s in the upper 16 bits of four u32 words, as float32x4 (no infinities, no NaNs).

    Three bits to the right an f16's exponent and fraction stand where an f32's do, with an
    exponent too small by 127 - 15 = 112; the product makes up for it, subnormals included.
    """
    return undecoded_halves(words) * splat(HALF_UNIT)


def undecoded_halves(words: Expr) -> Expr:
    """The same / HALF_UNIT, for who multiplies anyway."""
    shifted = bits(words, "int32x4") >> isplat(3)
    return bits(shifted & isplat(_signed(0x8FFFE000)), "float32x4")


def exp(x: Expr) -> Expr:
    """exp of four lanes: relative error below 3e-7; 0 below -87, at most 2^127 above 88.

    exp(x) = 2^n exp(r) with n the nearest integer to x / ln 2 and |r| <= ln(2) / 2, whose Taylor
    polynomial of degree 7 is off by less than 1e-8.
    """
    bounded = hold(tirx.max(tirx.min(x, splat(88.0)), splat(-87.5)))
    n = hold(tirx.nearbyint(bounded * splat(1.4426950408889634)))
    # ln 2 in two pieces, the first short enough for its product with n to be exact.
    r = hold(fma(n, splat(2.12194440e-4), fma(n, splat(-0.693359375), bounded)))
    total = splat(1 / 5040)
    for coefficient in (1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5, 1.0, 1.0):
        total = fma(total, r, splat(coefficient))
    power = bits((n.astype("int32x4") + isplat(127)) << isplat(23), "float32x4")
    return tirx.Select(x < splat(-87.0), splat(0.0), total * power)


def log(x: Expr) -> Expr:
    """log of four lanes of positive normal numbers: error below 2e-7 relative or 1e-7 absolute.

    x = 2^n m with m in [sqrt(1/2), sqrt(2)); log m = 2 artanh(s), s = (m - 1) / (m + 1).
    """
    word = hold(bits(x, "int32x4") - isplat(0x3F3504F3))
    n = hold((word >> isplat(23)).astype("float32x4"))
    m = hold(bits((word & isplat(0x007FFFFF)) + isplat(0x3F3504F3), "float32x4"))
    s = hold((m - splat(1.0)) / (m + splat(1.0)))
    square = hold(s * s)
    series = splat(2 / 9)
    for coefficient in (2 / 7, 2 / 5, 2 / 3, 2.0):
        series = fma(series, square, splat(coefficient))
    return fma(n, splat(0.6931471805599453), s * series)


def _signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word
