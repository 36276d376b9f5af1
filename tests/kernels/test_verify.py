"""Speculation: guesses against a look-up in plain Python, bookkeeping against single steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from compiler.bundle.schema import CONTROL_SLOTS, PROMPT_BIT, Control
from compiler.kernels.gpu import sample, verify
from tests.kernels.test_sample import CONTEXT, VOCABULARY, gumbel, logits, settings
from tests.support.exchange import Array
from tests.support.gpu import Gpu, assert_close

ROWS = 4
LARGEST = 5000  # positions of the look-up's tests


def control(position: int, context: int = CONTEXT, **slots: int | Sequence[int]) -> Array:
    made = np.zeros(CONTROL_SLOTS, np.int32)
    made[Control.POSITION], made[Control.CONTEXT] = position, context
    for name, value in slots.items():
        values = np.atleast_1d(np.asarray(value, np.int32))
        made[Control[name] : Control[name] + len(values)] = values
    return made


def look_up(sequence: Sequence[int], count: int) -> list[int]:
    """What followed the latest earlier occurrence of the last three tokens, or else two."""
    for length in (3, 2):
        for end in range(len(sequence) - 1, length - 1, -1):
            if list(sequence[end - length : end]) == list(sequence[-length:]):
                guesses: list[int] = []
                while len(guesses) < count:
                    following = [*sequence, *guesses]
                    guesses.append(following[end + len(guesses)])
                return guesses
    return []


def drafted(
    gpu: Gpu, sequence: Sequence[int], context: int = LARGEST, done: int = 0
) -> dict[str, Array]:
    """Runs `draft` where `sequence` is all there is, before tokens that nobody may read."""
    tokens = np.full(LARGEST + 1, 7, np.int32)
    tokens[: len(sequence)] = sequence
    buffers = {
        "control": control(len(sequence) - 1, context, COUNT=9, DONE=done),
        "tokens": tokens,
        "ids": np.full(ROWS, -1, np.int32),
        "positions": np.full(ROWS, -1, np.int32),
    }
    after = gpu.run(verify.draft(ROWS, LARGEST), buffers)
    untouched = len(sequence) + ROWS - 1
    assert (after["tokens"][: len(sequence)] == sequence).all()
    assert (after["tokens"][untouched:] == 7).all()
    return after


SEQUENCES = {
    "one token": [5],
    "two tokens": [5, 5],
    "no match": [1, 2, 3, 4, 5, 6],
    "at the start": [1, 2, 3, 4, 5, 1, 2],
    "three at the start": [1, 2, 3, 4, 5, 1, 2, 3],
    "the latest": [1, 2, 8, 9, 1, 2, 6, 5, 1, 2],
    "three before a later two": [3, 1, 2, 8, 9, 4, 1, 2, 6, 5, 3, 1, 2],
    "one token repeated": [4, 4, 4, 4, 4],
    "two tokens repeated": [9, 1, 2, 1, 2, 1, 2],
    "three tokens repeated": [1, 2, 3, 1, 2, 3, 1, 2],
    "what follows is the end": [1, 2, 3, 1, 2],
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_draft(gpu: Gpu, name: str) -> None:
    sequence = SEQUENCES[name]
    guesses = look_up(sequence, ROWS - 1)
    assert (guesses == []) == (name in ("one token", "two tokens", "no match"))
    after, last = drafted(gpu, sequence), len(sequence) - 1
    assert after["control"][Control.COUNT] == 1 + len(guesses)
    assert after["control"][Control.POSITION] == last
    assert after["tokens"][last : last + 1 + len(guesses)].tolist() == [sequence[-1], *guesses]
    assert after["ids"].tolist() == [sequence[-1], *(guesses or [sequence[-1]] * (ROWS - 1))]
    assert after["positions"].tolist() == list(range(last, last + ROWS))


@pytest.mark.parametrize("length", [255, 256, 257, 258, 259, 2000, 4990])
def test_draft_looks_at_all_of_a_long_text(gpu: Gpu, length: int) -> None:
    """Few different tokens: there are many places where two agree, some where three do."""
    random = np.random.default_rng(length)
    for size in (6, 25, 300):
        sequence = random.integers(0, size, length).tolist()
        guesses = look_up(sequence, ROWS - 1)
        after = drafted(gpu, sequence)
        assert after["ids"].tolist()[1:] == (guesses or [sequence[-1]] * (ROWS - 1))


@pytest.mark.parametrize(("room", "guesses"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3)])
def test_draft_ends_with_the_context(gpu: Gpu, room: int, guesses: int) -> None:
    sequence = [1, 2, 3, 4, 5, 1, 2]
    after = drafted(gpu, sequence, context=len(sequence) + room)
    assert after["control"][Control.COUNT] == 1 + guesses
    padding = [2] * (ROWS - 1 - guesses)
    assert after["ids"].tolist() == [2, *[3, 4, 5][:guesses], *padding]
    assert after["positions"].max() == min(len(sequence) + room - 1, len(sequence) + 2)
    assert (after["tokens"][len(sequence) + guesses :] == 7).all()


def test_draft_after_the_end_guesses_nothing(gpu: Gpu) -> None:
    after = drafted(gpu, [1, 2, 1, 2], done=1)
    assert after["control"][Control.COUNT] == 1
    assert (after["tokens"][4:] == 7).all()


def accepted(gpu: Gpu, choices: Sequence[int], guesses: Sequence[int], start: Array) -> list[Array]:
    """Runs `accept`; gives the tokens from POSITION on, `control`, and `counts`."""
    tokens = np.full(CONTEXT + 1, 90, np.int32)
    position = int(start[Control.POSITION])
    tokens[position + 1 : position + 1 + len(guesses)] = guesses
    start[Control.COUNT] = 1 + len(guesses)
    buffers = {
        "choices": np.asarray(choices, np.int32),
        "control": start,
        "tokens": tokens,
        "counts": np.zeros(VOCABULARY, np.int32),
    }
    after = gpu.run(verify.accept(VOCABULARY, CONTEXT, ROWS), buffers)
    assert (after["tokens"][: position + 1] == 90).all()
    return [after["tokens"][position + 1 :], after["control"], after["counts"]]


def taken(after: Array) -> list[int]:
    count = int(after[Control.TAKEN])
    return [int(token) for token in after[Control.TOKEN : Control.TOKEN + count]]


@pytest.mark.parametrize(
    ("guesses", "count"),
    [
        ([], 1),
        ([10], 2),
        ([11], 1),
        ([10, 20, 30], 4),
        ([10, 20, 31], 3),
        ([10, 21, 30], 2),
        ([11, 20, 30], 1),
    ],
)
def test_accept_takes_what_follows_right_guesses(gpu: Gpu, guesses: list[int], count: int) -> None:
    choices = [10, 20, 30, 40]
    tokens, after, counts = accepted(gpu, choices, guesses, control(4))
    assert taken(after) == choices[:count]
    assert tokens[:count].tolist() == choices[:count]
    assert after[Control.POSITION] == 4 + count
    assert after[Control.DONE] == 0
    assert np.flatnonzero(counts).tolist() == choices[:count]


def test_accept_counts_a_token_as_often_as_it_comes(gpu: Gpu) -> None:
    *_, counts = accepted(gpu, [5, 5, 6, 5], [5, 5, 6], control(0))
    assert (counts[5], counts[6], counts.sum()) == (3, 1, 4)


@pytest.mark.parametrize(("stop", "count"), [(10, 1), (20, 2), (40, 4)])
def test_accept_ends_at_a_stop_token(gpu: Gpu, stop: int, count: int) -> None:
    start = control(4, STOP_COUNT=2, STOP=[3, stop])
    tokens, after, _ = accepted(gpu, [10, 20, 30, 40], [10, 20, 30], start)
    assert taken(after) == [10, 20, 30, 40][:count]
    assert tokens[count - 1] == stop
    assert after[Control.DONE] == 1
    assert after[Control.POSITION] == 4 + count - 1


def test_accept_ends_with_the_context(gpu: Gpu) -> None:
    """The last token has a place in `tokens`, not in the KV cache."""
    _, after, _ = accepted(gpu, [10, 20, 30, 40], [10, 20], control(CONTEXT - 3))
    assert taken(after) == [10, 20, 30]
    assert after[Control.DONE] == 1
    assert after[Control.POSITION] == CONTEXT - 1


def test_accept_does_nothing_once_done(gpu: Gpu) -> None:
    tokens, after, counts = accepted(gpu, [10, 20, 30, 40], [10, 20, 30], control(4, DONE=1))
    assert taken(after) == []
    assert tokens[:4].tolist() == [10, 20, 30, 90]
    assert after[[Control.DONE, Control.POSITION]].tolist() == [1, 4]
    assert not counts.any()


def test_rows_are_adjusted_as_if_their_guesses_were_generated(gpu: Gpu) -> None:
    """Row i of one launch is `adjust` after i more tokens, bit for bit."""
    guesses = [15, 40, 15]
    tokens = np.zeros(CONTEXT + 1, np.int32)
    tokens[5:8] = guesses
    counts = np.zeros(VOCABULARY, np.int32)
    counts[10:20] = PROMPT_BIT
    counts[15:30] += 3
    rows = np.stack([logits(seed) for seed in range(ROWS)])
    sampling = settings(temperature=0.5, repetition=1.3, presence=0.4, frequency=0.1)
    shared = {"sampling": sampling, "control": control(4), "tokens": tokens}
    buffers = {**shared, "logits": rows, "counts": counts, "scaled": np.zeros_like(rows)}
    got = gpu.run(sample.adjust_rows(VOCABULARY, CONTEXT, ROWS), buffers)["scaled"]
    for row in range(ROWS):
        one = {"logits": rows[row], "counts": counts, "sampling": sampling}
        buffers = {**one, "scaled": np.zeros(VOCABULARY, np.float32)}
        assert_close(got[row], gpu.run(sample.adjust(VOCABULARY), buffers)["scaled"], 0, f"{row=}")
        counts = counts.copy()
        counts[guesses[row : row + 1]] += 1


@pytest.mark.parametrize("temperature", [0, 1])
def test_rows_are_chosen_with_the_noise_of_their_positions(gpu: Gpu, temperature: int) -> None:
    rows = np.stack([logits(seed) for seed in range(ROWS)])
    buffers = {
        "scaled": rows,
        "sampling": settings(temperature=temperature),
        "control": control(4, SEED=99),
        "choices": np.zeros(ROWS, np.int32),
    }
    got = gpu.run(sample.choose_rows(VOCABULARY, ROWS), buffers)["choices"]
    noisy = [rows[i] + temperature * gumbel(4 + i, 99) for i in range(ROWS)]
    assert got.tolist() == [int(row.argmax()) for row in noisy]
