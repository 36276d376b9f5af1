"""Sampling: filters against transformers' own, noise against NumPy, bookkeeping exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers.generation.logits_process as processors

from compiler.bundle.schema import CONTROL_SLOTS, PROMPT_BIT, SAMPLING_SLOTS, Control, Sampling
from tests.support.exchange import Array
from tests.support.gpu import Gpu, assert_close
from tests.support.wasm import Wasm

VOCABULARY = 1000
CONTEXT = 32


def settings(**values: float) -> Array:
    """The `sampling` buffer with everything off but `values`, by lower-case slot name."""
    slots = np.zeros(SAMPLING_SLOTS, np.float32)
    slots[Sampling.TOP_P] = slots[Sampling.REPETITION] = 1
    for name, value in values.items():
        slots[Sampling[name.upper()]] = value
    return slots


def logits(seed: int = 6) -> Array:
    return np.random.default_rng(seed).standard_normal(VOCABULARY).astype(np.float32) * 3


def pick(machine: Gpu | Wasm, scaled: Array, sampling: Array, **slots: Any) -> dict[str, Array]:
    """Runs `choose` at position 4."""
    control = np.zeros(CONTROL_SLOTS, np.int32)
    control[Control.POSITION], control[Control.CONTEXT] = 4, CONTEXT
    for name, value in slots.items():
        start = Control[name]
        values = np.atleast_1d(np.asarray(value, np.int32))
        control[start : start + len(values)] = values
    buffers = {
        "scaled": scaled,
        "sampling": sampling,
        "control": control,
        "tokens": np.full(CONTEXT + 1, -1, np.int32),
        "counts": np.zeros(VOCABULARY, np.int32),
    }
    return machine.run(machine.kernels.choose(VOCABULARY, CONTEXT), buffers)


def test_adjust(machine: Gpu | Wasm) -> None:
    """Repetition as transformers does it; presence and frequency as OpenAI documents them."""
    counts = np.zeros(VOCABULARY, np.int32)
    counts[10:20] = PROMPT_BIT
    counts[15:30] += 3
    raw = logits()
    sampling = settings(temperature=0.5, repetition=1.3, presence=0.4, frequency=0.1)
    buffers = {"logits": raw, "counts": counts, "sampling": sampling}
    got = machine.run(
        machine.kernels.adjust(VOCABULARY), {**buffers, "scaled": np.zeros_like(raw)}
    )["scaled"]
    penalty = processors.RepetitionPenaltyLogitsProcessor(1.3)
    seen = torch.arange(10, 30)[None]
    expected = penalty(seen, torch.from_numpy(raw)[None].clone())[0].numpy().astype(np.float64)
    expected[15:30] -= 0.4 + 3 * 0.1
    assert_close(got, expected / 0.5, 1e-6, "adjusted logits")


def test_greedy_takes_the_first_of_the_largest(machine: Gpu | Wasm) -> None:
    scaled = logits()
    scaled[[77, 500]] = scaled.max() + 1
    after = pick(machine, scaled, settings(temperature=0))
    assert after["tokens"][5] == 77
    assert after["control"][Control.POSITION] == 5
    assert after["counts"][77] == 1
    assert after["counts"].sum() == 1
    assert (np.delete(after["tokens"], 5) == -1).all()


def test_stop_token_sets_done_and_stays(machine: Gpu | Wasm) -> None:
    scaled = logits()
    best = int(scaled.argmax())
    after = pick(machine, scaled, settings(), STOP_COUNT=2, STOP=[3, best])
    assert after["tokens"][5] == best
    assert after["control"][[Control.DONE, Control.POSITION]].tolist() == [1, 4]


def test_done_changes_nothing(machine: Gpu | Wasm) -> None:
    after = pick(machine, logits(), settings(), DONE=1)
    assert (after["tokens"] == -1).all()
    assert after["control"][Control.POSITION] == 4
    assert not after["counts"].any()


FILTERS = {
    "none": {},
    "top_k": {"top_k": 7},
    "top_p": {"top_p": 0.8},
    "top_p_0": {"top_p": 0.0},
    "min_p": {"min_p": 0.1},
    "all": {"top_k": 40, "top_p": 0.9, "min_p": 0.05},
}


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("seed", [0, 12345])
def test_sampling(machine: Gpu | Wasm, name: str, seed: int) -> None:
    """The token is the maximum of logit plus noise over what transformers' filters keep."""
    scaled = logits()
    kept = filtered(scaled, **FILTERS[name])
    expected = int(np.where(kept, scaled + gumbel(4, seed), -np.inf).argmax())
    sampling = settings(temperature=1, **FILTERS[name])
    assert pick(machine, scaled, sampling, SEED=seed)["tokens"][5] == expected


@pytest.mark.parametrize("name", ["top_k", "top_p", "min_p", "all"])
def test_filters_keep_what_transformers_keeps(machine: Gpu | Wasm, name: str) -> None:
    """Over many seeds every kept token of weight appears, and never one that is dropped."""
    scaled = logits() / 2
    kept = filtered(scaled, **FILTERS[name])
    sampling = settings(temperature=1, **FILTERS[name])
    seen = {int(pick(machine, scaled, sampling, SEED=seed)["tokens"][5]) for seed in range(40)}
    assert seen <= set(np.flatnonzero(kept).tolist())
    assert len(seen) > 1


def filtered(scaled: Array, top_k: int = 0, top_p: float = 1.0, min_p: float = 0.0) -> Array:
    """Which tokens transformers' processors keep, in the order it applies them."""
    scores = torch.from_numpy(scaled)[None].double()
    steps: list[Any] = []
    if top_k:
        steps.append(processors.TopKLogitsWarper(top_k))
    if top_p < 1:
        steps.append(processors.TopPLogitsWarper(top_p))
    if min_p:
        steps.append(processors.MinPLogitsWarper(min_p))
    for step in steps:
        scores = step(None, scores)
    return scores[0].isfinite().numpy()


def gumbel(position: int, seed: int) -> Array:
    """-log(-log(u)) with u from pcg3d (Jarzynski and Olano), in NumPy's wrapping u32."""
    x = np.arange(VOCABULARY, dtype=np.uint32)
    y = np.full(VOCABULARY, position, np.uint32)
    z = np.full(VOCABULARY, seed, np.uint32)
    x, y, z = (v * np.uint32(1664525) + np.uint32(1013904223) for v in (x, y, z))
    for shift in (True, False):
        x = x + y * z
        y = y + z * x
        z = z + x * y
        if shift:
            x, y, z = (v ^ (v >> np.uint32(16)) for v in (x, y, z))
    uniform = ((x >> np.uint32(9)).astype(np.float64) + 0.5) * 2.0**-23
    return -np.log(-np.log(uniform))
