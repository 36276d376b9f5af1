"""Sampling on the GPU, so that a token never travels to the CPU before the next step.

Two dispatches. `adjust` applies penalties and temperature to every logit. `choose`, one workgroup,
finds the threshold below which top-k, top-p and min-p drop tokens, then takes the maximum of
logit + Gumbel noise over what is left, which is a sample of their softmax (Gumbel-max trick,
Maddison et al., arXiv 1411.0030). Noise is counter-based (pcg3d, Jarzynski and Olano, JCGT 9(3)):
a function of seed, position and token alone, the same on every device and at any queue depth.
Filters apply in transformers' order: temperature, top-k, top-p, min-p; ties at a threshold stay.

`adjust_rows` and `choose_rows` do the same for all rows of a verify step at once. A row only counts
when all guesses before it hold, so its penalties may take them for tokens that were generated.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from tvm import tirx

from compiler.bundle.schema import (
    CONTROL_SLOTS,
    PROMPT_BIT,
    SAMPLING_SLOTS,
    Control,
    Sampling,
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
from compiler.kernels.gpu.dsl import Builder, bits, exp, finished, kernel
from compiler.kernels.gpu.language import BASE, Language
from compiler.kernels.gpu.reduce import combine, prepare, subgroup
from compiler.kernels.gpu.verify import take

THREADS = 256
SIDE = 16  # sqrt(THREADS): partial sums are added up in two rounds of this many
CHOICES = 7  # thresholds tried at once: 3 bits of the answer a round
SHIFTS = 30  # the first round settles bits 30 and 31, the next 27 to 29, ..., the last 0 to 2


@cache
def adjust(vocabulary: int) -> KernelFunction:
    """logits, counts (vocabulary,), sampling -> scaled (vocabulary,): penalties, temperature.

    Repetition (Keskar et al., arXiv 1909.05858) looks at prompt and answer; presence and frequency
    (OpenAI's definition) at the answer alone. At temperature 0 logits are not divided.
    """
    with kernel(f"adjust_{vocabulary}") as k:
        logits = k.buffer("logits", (vocabulary,), "float32")
        counts = k.buffer("counts", (vocabulary,), "int32")
        sampling = k.buffer("sampling", (SAMPLING_SLOTS,), "float32")
        scaled = k.buffer("scaled", (vocabulary,), "float32", write=True)
        (block,), (thread,) = k.launch((ceil_div(vocabulary, THREADS),), (THREADS,))
        token = block * THREADS + thread
        with when(token < vocabulary):
            store(scaled, _adjusted(let(logits[token]), let(counts[token]), sampling), token)
    return finished(k)


@cache
def adjust_rows(vocabulary: int, context: int, rows: int) -> KernelFunction:
    """logits (rows, vocabulary), counts, sampling, control, tokens -> scaled (rows, vocabulary).

    Row i's counts include the guesses tokens[POSITION + 1 .. POSITION + i].
    """
    with kernel(f"adjust_{rows}x{vocabulary}") as k:
        logits = k.buffer("logits", (rows, vocabulary), "float32")
        counts = k.buffer("counts", (vocabulary,), "int32")
        sampling = k.buffer("sampling", (SAMPLING_SLOTS,), "float32")
        control = k.buffer("control", (CONTROL_SLOTS,), "int32")
        tokens = k.buffer("tokens", (context + 1,), "int32")
        scaled = k.buffer("scaled", (rows, vocabulary), "float32", write=True)
        (block, row), (thread,) = k.launch((ceil_div(vocabulary, THREADS), rows), (THREADS,))
        token = block * THREADS + thread
        with when(token < vocabulary):
            count = let(counts[token])
            for guess in range(1, rows):
                # Past the context's end there are no guesses; those rows are padding.
                at = minimum(control[Control.POSITION] + guess, control[Control.CONTEXT])
                same = both(guess <= row, tokens[at] == token)
                count = let(count + select(same, i32(1), i32(0)))
            store(scaled, _adjusted(let(logits[row, token]), count, sampling), row, token)
    return finished(k)


def _adjusted(logit: Expr, count: Expr, sampling: Expr) -> Expr:
    generated = let((count & i32(PROMPT_BIT - 1)).astype("float32"))
    factor = sampling[Sampling.REPETITION]
    repeated = select(logit > f32(0), logit / factor, logit * factor)
    value = select(count != 0, repeated, logit)
    value = value - select(generated > f32(0), sampling[Sampling.PRESENCE], f32(0))
    value = value - generated * sampling[Sampling.FREQUENCY]
    heat = sampling[Sampling.TEMPERATURE]
    return value / select(heat > f32(0), heat, f32(1))


@cache
def choose(vocabulary: int, context: int, language: Language = BASE) -> KernelFunction:
    """scaled (vocabulary,), sampling; control, tokens, counts (read and written).

    Takes the token; see `take`.
    """
    with kernel(f"choose_{vocabulary}", language) as k:
        scaled = k.buffer("scaled", (1, vocabulary), "float32")
        sampling = k.buffer("sampling", (SAMPLING_SLOTS,), "float32")
        control = k.buffer("control", (CONTROL_SLOTS,), "int32", write=True)
        tokens = k.buffer("tokens", (context + 1,), "int32", write=True)
        counts = k.buffer("counts", (vocabulary,), "int32", write=True)
        (row,), (thread,) = k.launch((1,), (THREADS,))
        prepare(k)
        token = _Choice(k, scaled, sampling, control, row, thread).run()
        with when(thread == 0):
            take(k, 1, lambda _: token, control, tokens, counts)
    return finished(k)


@cache
def choose_rows(vocabulary: int, rows: int, language: Language = BASE) -> KernelFunction:
    """scaled (rows, vocabulary), sampling, control -> choices (rows,): what follows each row."""
    with kernel(f"choose_{rows}x{vocabulary}", language) as k:
        scaled = k.buffer("scaled", (rows, vocabulary), "float32")
        sampling = k.buffer("sampling", (SAMPLING_SLOTS,), "float32")
        control = k.buffer("control", (CONTROL_SLOTS,), "int32")
        choices = k.buffer("choices", (rows,), "int32", write=True)
        (row,), (thread,) = k.launch((rows,), (THREADS,))
        prepare(k)
        token = _Choice(k, scaled, sampling, control, row, thread).run()
        with when(thread == 0):
            store(choices, token, row)
    return finished(k)


class _Choice:
    """What follows one row, by one workgroup.

    WGSL takes what is read from a writable buffer for different in each invocation and allows no
    barrier in a branch on it. So branches here depend on `sampling` alone, and `control` only
    enters values.
    """

    def __init__(
        self, k: Builder, scaled: Expr, sampling: Expr, control: Expr, row: Expr, thread: Expr
    ) -> None:
        self.k, self.scaled, self.sampling, self.control = k, scaled, sampling, control
        self.row, self.thread = row, thread
        self.vocabulary = int(scaled.shape[1])
        self.least = k.local(1, "uint32")  # key of the least logit kept so far

    def run(self) -> Expr:
        """The token, known to all invocations."""
        largest = self.k.local(1)
        store(largest, f32(LOWEST), 0)
        self._each(lambda token, logit: store(largest, maximum(largest[0], logit), 0))
        self.highest = self.k.local(1)
        store(self.highest, combine(self.k, self.thread, largest[0], THREADS, maximum), 0)
        store(self.least, u32(0), 0)
        top_k, top_p = self.sampling[Sampling.TOP_K], self.sampling[Sampling.TOP_P]
        sampled = self.sampling[Sampling.TEMPERATURE] > f32(0)
        with _if_uniform(both(sampled, top_k > f32(0))):
            self._raise_threshold(top_k, lambda logit: f32(1))
        with _if_uniform(both(sampled, top_p < f32(1))):
            total = self._sum(self._probability)
            # At least something, or no token at all would already be enough.
            goal = maximum(top_p * total, f32(1e-30))
            self._raise_threshold(goal, self._probability)
        return self._pick(sampled)

    def _each(self, body: Callable[[Expr, Expr], None]) -> None:
        """Runs `body(token, logit)` over this invocation's share of the vocabulary."""
        with loop(ceil_div(self.vocabulary, THREADS)) as step:
            token = step * THREADS + self.thread
            with when(token < self.vocabulary):
                body(token, let(self.scaled[self.row, token]))

    def _probability(self, logit: Expr) -> Expr:
        """Probability up to a common factor."""
        return exp(logit - self.highest[0])

    def _sum(self, measure: Callable[[Expr], Expr]) -> Expr:
        """Sum of `measure` over the tokens kept so far."""
        partial = self.k.local(1)
        store(partial, f32(0), 0)

        def add(token: Expr, logit: Expr) -> None:
            kept = _key(logit) >= self.least[0]
            store(partial, partial[0] + select(kept, measure(logit), f32(0)), 0)

        self._each(add)
        return combine(self.k, self.thread, partial[0], THREADS, operator.add)

    def _raise_threshold(self, target: Expr, measure: Callable[[Expr], Expr]) -> None:
        """Raises `least` to the largest key whose tokens, and all above it, measure >= target.

        A search over the 32 bits of the key, CHOICES thresholds a round.
        """
        goal, prefix = self.k.local(1), self.k.local(1, "uint32")
        store(goal, target, 0)
        store(prefix, u32(0), 0)
        sums = self.k.local(CHOICES)
        with loop(SHIFTS // 3 + 1) as step:
            shift = let((i32(SHIFTS) - step * 3).astype("uint32"))
            base = let(prefix[0] >> shift)
            self._measure_choices(sums, base, shift, measure)
            reached = self._reached(sums, goal[0])
            store(prefix, prefix[0] + (reached << shift), 0)
        store(self.least, maximum(self.least[0], prefix[0]), 0)

    def _measure_choices(
        self, sums: Expr, base: Expr, shift: Expr, measure: Callable[[Expr], Expr]
    ) -> None:
        """sums[j]: what the tokens at or above (base + j + 1) << shift measure."""
        for j in range(CHOICES):
            store(sums, f32(0), j)

        def add(token: Expr, logit: Expr) -> None:
            key = let(_key(logit))
            amount = let(select(key >= self.least[0], measure(logit), f32(0)))
            digit = let(key >> shift)
            for j in range(CHOICES):
                above = digit >= base + u32(j + 1)
                store(sums, sums[j] + select(above, amount, f32(0)), j)

        self._each(add)

    def _reached(self, sums: Expr, goal: Expr) -> Expr:
        """How many of the choices, summed over the workgroup, reach the goal."""
        count = self.k.local(1, "uint32")
        totals = self._totals(sums)
        store(count, u32(0), 0)
        for total in totals:
            store(count, count[0] + select(total >= goal, u32(1), u32(0)), 0)
        return count[0]

    def _totals(self, sums: Expr) -> list[Expr]:
        """`sums` of all invocations, added up."""
        if self.k.language.subgroups:
            values = [sums[j] for j in range(CHOICES)]
            return subgroup(self.k).combine(self.thread, values, operator.add, "float32")
        first = self.k.shared(CHOICES * THREADS)
        second = self.k.shared(CHOICES * SIDE)
        for j in range(CHOICES):
            store(first, sums[j], j * THREADS + self.thread)
        part = self.k.local(1)
        start = minimum(self.thread, CHOICES * SIDE - 1) * SIDE
        store(part, _total(first, start), 0)
        with when(self.thread < CHOICES * SIDE):
            store(second, part[0], self.thread)
        return [_total(second, j * SIDE) for j in range(CHOICES)]

    def _pick(self, sampled: Expr) -> Expr:
        """The kept token of the largest (noisy) logit; of equal ones the first."""
        best, index = self.k.local(1), self.k.local(1, "int32")
        store(best, f32(LOWEST), 0)
        store(index, i32(self.vocabulary), 0)
        min_p = maximum(self.sampling[Sampling.MIN_P], f32(1e-30))
        floor = let(self.highest[0] + tirx.log(min_p) - f32(1e-6))
        seed = let(bits(self.control[Control.SEED], "uint32"))
        position = let(bits(self.control[Control.POSITION] + self.row, "uint32"))

        def consider(token: Expr, logit: Expr) -> None:
            noise = _gumbel(token.astype("uint32"), position, seed)
            noisy = select(sampled, logit + noise, logit)
            kept = both(_key(logit) >= self.least[0], tirx.any(tirx.Not(sampled), logit >= floor))
            value = let(select(kept, noisy, f32(LOWEST)))
            with when(value > best[0]):
                store(best, value, 0)
                store(index, token, 0)

        self._each(consider)
        highest = combine(self.k, self.thread, best[0], THREADS, maximum)
        candidate = select(best[0] >= highest, index[0], i32(self.vocabulary))
        token = combine(self.k, self.thread, candidate, THREADS, minimum, "int32")
        return let(minimum(token, self.vocabulary - 1))


@contextmanager
def _if_uniform(condition: Expr) -> Iterator[None]:
    """A branch all invocations take alike. TVM places barriers in loops but not in branches."""
    with loop(select(condition, i32(1), i32(0))):
        yield


def _total(memory: Expr, start: Expr) -> Expr:
    total = memory[start]
    for index in range(1, SIDE):
        total = total + memory[start + index]
    return total


def _key(value: Expr) -> Expr:
    """A float's bits as an unsigned integer of the same order."""
    word = let(bits(value, "uint32"))
    return select((word >> u32(31)) == u32(1), word ^ u32(0xFFFFFFFF), word | u32(0x80000000))


def _gumbel(token: Expr, position: Expr, seed: Expr) -> Expr:
    """-log(-log(u)), u uniform in (0, 1) from pcg3d(token, position, seed)."""
    x, y, z = (let(v * u32(1664525) + u32(1013904223)) for v in (token, position, seed))
    x, y, z = _mix(x, y, z)
    x, y, z = (let(v ^ (v >> u32(16))) for v in (x, y, z))
    x, _, _ = _mix(x, y, z)
    # 23 bits: with 24 the half would round the largest up to 1, whose noise is infinite.
    uniform = ((x >> u32(9)).astype("float32") + f32(0.5)) * f32(2.0**-23)
    return -tirx.log(-tirx.log(uniform))


def _mix(x: Expr, y: Expr, z: Expr) -> tuple[Expr, Expr, Expr]:
    x = let(x + y * z)
    y = let(y + z * x)
    z = let(z + x * y)
    return x, y, z
