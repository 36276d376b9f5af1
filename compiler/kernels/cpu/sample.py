"""Sampling on a CPU: the same choice as kernels/gpu/sample.py, which says what is computed.

Its thresholds are found differently: a histogram over the digits of the logits' keys, mass by
mass, looks at every logit three times, where a GPU rather tries several thresholds at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from tvm import tirx

from compiler.bundle.schema import (
    CONTROL_SLOTS,
    PROMPT_BIT,
    SAMPLING_SLOTS,
    Control,
    Sampling,
)
from compiler.kernels.cpu.dsl import (
    LANES,
    Builder,
    Register,
    bits,
    exp,
    finished,
    hold,
    isplat,
    kernel,
    lane,
    load,
    log,
    splat,
    store4,
)
from compiler.kernels.dsl import (
    LOWEST,
    Expr,
    KernelFunction,
    both,
    ceil_div,
    f32,
    i32,
    let,
    loop,
    maximum,
    minimum,
    select,
    store,
    u32,
    when,
)

SHARE = 1024  # logits of an item of `adjust`
DIGITS = ((21, 11), (10, 11), (0, 10))  # shift and width of a key's three digits
BUCKETS = 1 << 11


@cache
def adjust(vocabulary: int) -> KernelFunction:
    """logits, counts (vocabulary,), sampling -> scaled (vocabulary,): penalties, temperature."""
    with kernel(f"adjust_{vocabulary}") as k:
        logits = k.buffer("logits", (vocabulary,), "float32")
        counts = k.buffer("counts", (vocabulary,), "int32")
        sampling = k.buffer("sampling", (SAMPLING_SLOTS,), "float32")
        scaled = k.buffer("scaled", (vocabulary,), "float32", write=True)
        with k.call(), k.items(ceil_div(vocabulary, SHARE)) as item:
            heat = sampling[Sampling.TEMPERATURE]
            factor = let(f32(1) / select(heat > f32(0), heat, f32(1)))
            end = minimum(SHARE, vocabulary - item * SHARE)
            with loop(end) as step:
                token = let(item * SHARE + step)
                value = _penalised(let(logits[token]), let(counts[token]), sampling)
                store(scaled, value * factor, token)
    return finished(k)


def _penalised(logit: Expr, count: Expr, sampling: Expr) -> Expr:
    generated = let((count & i32(PROMPT_BIT - 1)).astype("float32"))
    factor = sampling[Sampling.REPETITION]
    repeated = select(logit > f32(0), logit / factor, logit * factor)
    value = select(count != 0, repeated, logit)
    value = value - select(generated > f32(0), sampling[Sampling.PRESENCE], f32(0))
    return value - generated * sampling[Sampling.FREQUENCY]


@cache
def choose(vocabulary: int, context: int) -> KernelFunction:
    """scaled (vocabulary,), sampling; control, tokens, counts (read and written).

    Writes tokens[POSITION + 1] and advances POSITION, or sets DONE at a stop token or the context's
    end; takes no token once DONE is set. One item: thread 0 does it all.
    """
    with kernel(f"choose_{vocabulary}") as k:
        body = _Choice(k, vocabulary, context)
        with k.call():
            body.prepare()
            with k.items(1):
                store(body.control, i32(0), int(Control.TAKEN))
                with when(body.control[Control.DONE] == 0):
                    body.run()
    return finished(k)


class _Choice:
    def __init__(self, k: Builder, vocabulary: int, context: int) -> None:
        self.k, self.vocabulary = k, vocabulary
        self.padded = ceil_div(vocabulary, LANES) * LANES
        self.scaled = k.buffer("scaled", (vocabulary,), "float32")
        self.sampling = k.buffer("sampling", (SAMPLING_SLOTS,), "float32")
        self.control = k.buffer("control", (CONTROL_SLOTS,), "int32", write=True)
        self.tokens = k.buffer("tokens", (context + 1,), "int32", write=True)
        self.counts = k.buffer("counts", (vocabulary,), "int32", write=True)

    def prepare(self) -> None:
        """Memory of this thread."""
        self.logits = self.k.workspace((self.padded,))
        self.keys = self.k.workspace((self.padded,), "uint32")
        self.mass = self.k.workspace((self.padded,))
        self.histogram = self.k.workspace((BUCKETS,))
        self.least = self.k.register(dtype="uint32")  # key of the least logit kept so far
        self.above = self.k.register(dtype="float32")  # mass above the digits settled so far

    def run(self) -> None:
        self._copy()
        self.highest = self._highest()
        self.least.set(u32(0))
        sampled = self.sampling[Sampling.TEMPERATURE] > f32(0)
        top_k, top_p = self.sampling[Sampling.TOP_K], self.sampling[Sampling.TOP_P]
        with when(sampled):
            self._fill_keys()
        with when(both(sampled, top_k > f32(0))):
            self._each(lambda i: store4(self.mass, splat(1.0), i))
            self._raise_threshold(top_k)
        with when(both(sampled, top_p < f32(1))):
            self._raise_threshold(self._probable(top_p))
        with when(sampled):
            self._add_noise()
        self._write(self._largest())

    def _each(self, body: Callable[[Expr], None]) -> None:
        with loop(self.padded // LANES) as quad:
            body(quad * LANES)

    def _copy(self) -> None:
        """Logits, and behind them what fills the last quad."""
        whole = self.vocabulary // LANES
        with loop(whole) as quad:
            store4(self.logits, load(self.scaled, quad * LANES), quad * LANES)
        for token in range(whole * LANES, self.padded):
            inside = token < self.vocabulary
            store(self.logits, self.scaled[token] if inside else f32(LOWEST), token)

    def _highest(self) -> Expr:
        highest = self.k.register(splat(LOWEST))
        self._each(lambda i: highest.set(maximum(highest.value, load(self.logits, i))))
        best = let(highest.value)
        lanes = [lane(best, i) for i in range(LANES)]
        return let(maximum(maximum(lanes[0], lanes[1]), maximum(lanes[2], lanes[3])))

    def _fill_keys(self) -> None:
        """Floats' bits as unsigned integers of the same order."""

        def fill(i: Expr) -> None:
            words = let(bits(load(self.logits, i), "int32x4"))
            # All bits of a negative number are flipped, the sign of a positive one.
            flips = (words >> isplat(31)) | isplat(-(1 << 31))
            store4(self.keys, bits(words ^ flips, "uint32x4"), i)

        self._each(fill)

    def _probable(self, top_p: Expr) -> Expr:
        """Fills `mass` with probabilities up to a common factor; the share of them to keep."""
        total = self.k.register(f32(0), "float32")

        def fill(i: Expr) -> None:
            weight = let(exp(let(load(self.logits, i) - splat(self.highest))))
            store4(self.mass, weight, i)

        self._each(fill)
        with loop(self.padded) as i:
            kept = self.keys[i] >= self.least.value
            total.add(select(kept, self.mass[i], f32(0)))
        # At least something, or no token at all would already be enough.
        return maximum(top_p * total.value, f32(1e-30))

    def _raise_threshold(self, target: Expr) -> None:
        """Raises `least` to the largest key whose tokens, and all above it, have the mass target.

        Digit by digit: each digit's histogram counts the tokens that share the digits before it.
        """
        goal = let(target)
        prefix = self.k.register(u32(0), "uint32")
        self.above.set(f32(0))
        for shift, width in DIGITS:
            self._count(prefix.value, shift, width)
            digit = self._digit(goal, 1 << width)
            prefix.set((prefix.value << u32(width)) | digit)
        self.least.set(maximum(self.least.value, prefix.value))

    def _count(self, prefix: Expr, shift: int, width: int) -> None:
        with loop(1 << width) as bucket:
            store(self.histogram, f32(0), bucket)
        wanted = let(prefix)
        with loop(self.padded) as i:
            key = let(self.keys[i])
            same = key >> u32(shift + width) == wanted if shift + width < 32 else True
            with when(both(key >= self.least.value, same)):
                bucket = let(((key >> u32(shift)) & u32((1 << width) - 1)).astype("int32"))
                store(self.histogram, self.histogram[bucket] + self.mass[i], bucket)

    def _digit(self, goal: Expr, buckets: int) -> Expr:
        """The highest bucket that, with all above it, reaches the goal; `above` goes along."""
        digit = self.k.register(i32(-1), "int32")
        with loop(buckets) as step:
            bucket = let(buckets - 1 - step)
            with when(digit.value < 0):
                reached = let(self.above.value + self.histogram[bucket])
                with when(both(reached < goal, bucket > 0)):
                    self.above.set(reached)
                with when(tirx.any(reached >= goal, bucket == 0)):
                    digit.set(bucket)
        return let(digit.value.astype("uint32"))

    def _add_noise(self) -> None:
        """Gumbel noise on the kept logits; the others are out."""
        min_p = maximum(self.sampling[Sampling.MIN_P], f32(1e-30))
        floor = let(self.highest + lane(log(splat(min_p)), 0) - f32(1e-6))
        with loop(self.vocabulary) as token:
            logit = let(self.logits[token])
            kept = both(self.keys[token] >= self.least.value, logit >= floor)
            with when(kept):
                noise = _gumbel(token, self.control[Control.POSITION], self.control[Control.SEED])
                store(self.logits, logit + noise, token)
            with when(tirx.Not(kept)):
                store(self.logits, f32(LOWEST), token)

    def _largest(self) -> Expr:
        """The token of the largest logit; of equal ones the first."""
        best = self.k.register(splat(LOWEST))
        where = self.k.register(isplat(self.vocabulary - 1), "int32x4")

        def consider(i: Expr) -> None:
            value = let(load(self.logits, i))
            earlier = let(best.value)
            where.set(tirx.Select(value > earlier, tirx.Ramp(i, 1, LANES), where.value))
            best.set(tirx.Select(value > earlier, value, earlier))

        self._each(consider)
        value, token = (self.k.register(dtype=kind) for kind in ("float32", "int32"))
        values, tokens = let(best.value), let(where.value)
        value.set(lane(values, 0))
        token.set(lane(tokens, 0))
        for index in range(1, LANES):
            self._better(value, token, lane(values, index), lane(tokens, index))
        return let(token.value)

    def _better(self, value: Register, token: Register, other: Expr, candidate: Expr) -> None:
        other, candidate = let(other), let(candidate)
        first = both(other == value.value, candidate < token.value)
        with when(tirx.any(other > value.value, first)):
            value.set(other)
            token.set(candidate)

    def _write(self, token: Expr) -> None:
        position = let(self.control[Control.POSITION])
        store(self.tokens, token, position + 1)
        store(self.counts, self.counts[token] + 1, token)
        store(self.control, i32(1), int(Control.TAKEN))
        store(self.control, token, int(Control.TOKEN))
        full = position + 1 >= self.control[Control.CONTEXT]
        stopped = self.k.register(select(full, i32(1), i32(0)), "int32")
        count = minimum(self.control[Control.STOP_COUNT], Control.TAKEN - Control.STOP)
        with loop(count) as slot, when(self.control[slot + int(Control.STOP)] == token):
            stopped.set(i32(1))
        store(self.control, stopped.value, int(Control.DONE))
        store(self.control, position + 1 - stopped.value, int(Control.POSITION))


def _gumbel(token: Expr, position: Expr, seed: Expr) -> Expr:
    """-log(-log(u)), u uniform in (0, 1) from pcg3d(token, position, seed)."""
    words = (hold(bits(v, "uint32").astype("uint64")) for v in (token, position, seed))
    x, y, z = (_wrapped(v * _u64(1664525) + _u64(1013904223)) for v in words)
    x, y, z = _mix(x, y, z)
    x, y, z = (hold(v ^ (v >> _u64(16))) for v in (x, y, z))
    x, _, _ = _mix(x, y, z)
    # 23 bits: with 24 the half would round the largest up to 1, whose noise is infinite.
    uniform = ((x >> _u64(9)).astype("float32") + f32(0.5)) * f32(2.0**-23)
    return f32(0) - lane(log(splat(f32(0) - lane(log(splat(uniform)), 0))), 0)


def _mix(x: Expr, y: Expr, z: Expr) -> tuple[Expr, Expr, Expr]:
    x = _wrapped(x + y * z)
    y = _wrapped(y + z * x)
    z = _wrapped(z + x * y)
    return x, y, z


def _wrapped(value: Expr) -> Expr:
    """Modulo 2^32, in 64 bits: TVM promises LLVM that unsigned arithmetic never overflows."""
    return hold(value & _u64(0xFFFFFFFF))


def _u64(value: int) -> Expr:
    return tirx.const(value, "uint64")
