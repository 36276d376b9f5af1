"""Speculative decoding by look-up (Saxena, 2023, "prompt lookup decoding"), exact and on the GPU.

A verify step runs the model on a token and on guesses of those after it. `draft` guesses: it looks
for the latest place where the last few tokens occurred before, and takes what followed them.
`accept` takes what was sampled after each row as long as the row before it was guessed right. Noise
depends on seed and position alone, so the tokens are those that single steps would have sampled.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from compiler.bundle.schema import CONTROL_SLOTS, Control
from compiler.kernels.dsl import (
    Expr,
    KernelFunction,
    both,
    i32,
    let,
    loop,
    maximum,
    minimum,
    select,
    store,
    when,
)
from compiler.kernels.gpu.dsl import Builder, finished, kernel
from compiler.kernels.gpu.reduce import combine

THREADS = 256
STOPS = Control.TAKEN - Control.STOP  # room for stop tokens
LONG = 1 << 30  # added to a place where three tokens agree: it wins over all where two do


@cache
def draft(rows: int, context: int) -> KernelFunction:
    """control, tokens (both read and written) -> ids (rows,), positions (rows,).

    Writes guesses to tokens[POSITION + 1 ..] and 1 + their number to COUNT: rows - 1 guesses, or
    fewer before the context's end, or none where nothing matches or DONE is set. They follow the
    latest earlier occurrence of the last three tokens, or else of the last two; where it ends less
    than rows - 1 tokens ago, what follows is repeated. Padding rows repeat the token at POSITION.
    """
    with kernel(f"draft_{rows}") as k:
        control = k.buffer("control", (CONTROL_SLOTS,), "int32", write=True)
        tokens = k.buffer("tokens", (context + 1,), "int32", write=True)
        ids = k.buffer("ids", (rows,), "int32", write=True)
        positions = k.buffer("positions", (rows,), "int32", write=True)
        _, (thread,) = k.launch((1,), (THREADS,))
        position = let(control[Control.POSITION])
        found = combine(k, thread, _latest(k, tokens, position, thread), THREADS, maximum, "int32")
        with when(thread < rows):
            end = let(found & i32(LONG - 1))
            room = minimum(control[Control.CONTEXT] - 1 - position, rows - 1)
            guessing = both(found > 0, control[Control.DONE] == 0)
            count = let(1 + select(guessing, room, i32(0)))
            guessed = both(thread > 0, thread < count)
            place = end + 1 + maximum(thread - 1, 0) % maximum(position - end, 1)
            token = let(tokens[select(guessed, place, position)])
            store(ids, token, thread)
            store(positions, minimum(position + thread, control[Control.CONTEXT] - 1), thread)
            with when(guessed):
                store(tokens, token, position + thread)
            with when(thread == 0):
                store(control, count, int(Control.COUNT))
    return finished(k)


def _latest(k: Builder, tokens: Expr, position: Expr, thread: Expr) -> Expr:
    """Of this invocation's share of the places before `position`: the last at which two tokens
    agree, or three, which adds LONG; 0 for none."""
    best = k.local(1, "int32")
    store(best, i32(0), 0)
    last, second, third = (let(tokens[maximum(position - i, 0)]) for i in range(3))
    with loop((position + (THREADS - 2)) // THREADS) as step:
        end = step * THREADS + thread + 1
        with (
            when(end < position),
            when(tokens[end] == last),
            when(tokens[end - 1] == second),
        ):
            longer = both(end >= 2, tokens[maximum(end - 2, 0)] == third)
            store(best, maximum(best[0], end + select(longer, i32(LONG), i32(0))), 0)
    return best[0]


@cache
def accept(vocabulary: int, context: int, rows: int) -> KernelFunction:
    """choices (rows,); control, tokens, counts (read and written). Takes tokens; see `take`."""
    with kernel(f"accept_{rows}") as k:
        choices = k.buffer("choices", (rows,), "int32")
        control = k.buffer("control", (CONTROL_SLOTS,), "int32", write=True)
        tokens = k.buffer("tokens", (context + 1,), "int32", write=True)
        counts = k.buffer("counts", (vocabulary,), "int32", write=True)
        _, (thread,) = k.launch((1,), (1,))
        with when(thread == 0):
            take(k, rows, lambda row: choices[row], control, tokens, counts)
    return finished(k)


def take(
    k: Builder,
    rows: int,
    choice: Callable[[Expr], Expr],
    control: Expr,
    tokens: Expr,
    counts: Expr,
) -> None:
    """One invocation takes the choices from row 0 on, up to the first whose guess, the token that
    the next row consumed, was another.

    Writes and counts each token, advances POSITION past what was consumed and leaves the tokens at
    TAKEN. A stop token or the context's end sets DONE, and POSITION stays; with DONE set already
    nothing is taken.
    """
    position = let(control[Control.POSITION])
    going, taken, done = (k.local(1, "int32") for _ in range(3))
    store(done, control[Control.DONE], 0)
    store(going, 1 - done[0], 0)
    store(taken, i32(0), 0)
    with loop(rows) as row, when(going[0] == 1):
        at = position + row + 1
        token, guess = let(choice(row)), let(tokens[at])
        store(tokens, token, at)
        store(counts, counts[token] + 1, token)
        store(control, token, row + int(Control.TOKEN))
        store(taken, row + 1, 0)
        store(done, select(at >= control[Control.CONTEXT], i32(1), i32(0)), 0)
        with loop(STOPS) as slot:
            stop = control[slot + int(Control.STOP)]
            with when(both(slot < control[Control.STOP_COUNT], stop == token)):
                store(done, i32(1), 0)
        holds = both(done[0] == 0, token == guess, row + 1 < control[Control.COUNT])
        store(going, select(holds, i32(1), i32(0)), 0)
    advance = taken[0] - select(taken[0] > 0, done[0], i32(0))
    store(control, position + advance, int(Control.POSITION))
    store(control, done[0], int(Control.DONE))
    store(control, taken[0], int(Control.TAKEN))
