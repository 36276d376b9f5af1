"""Which values share scratch buffers."""

from __future__ import annotations

import random

import pytest

from compiler.bundle.schema import ALIGN
from compiler.lower.launches import Launch, Listing, Value
from compiler.lower.memory import Slot, plan_scratch
from tests.unit.lower.kernels import kernel_with

WEIGHT = Value("weight", "w", 64, "codes")
CONTROL = Value("state", "control", 0)


def value(name: str, size: int = 100) -> Value:
    return Value("scratch", name, size)


def listing(*steps: tuple[Value, ...], outputs: dict[str, Value] | None = None) -> Listing:
    kernel = kernel_with("any", ("a", "b"))
    return Listing(1, [Launch(kernel, values, None) for values in steps], outputs or {})


def test_a_chain_alternates_between_two_buffers() -> None:
    a, b, c, d = (value(name) for name in "abcd")
    slots: list[Slot] = []
    assigned = plan_scratch(listing((a, b), (b, c), (c, d)), slots)
    assert assigned == {"a": 0, "b": 1, "c": 0, "d": 1}
    assert [slot.bytes for slot in slots] == [ALIGN, ALIGN]


def test_a_value_read_later_keeps_its_buffer() -> None:
    """A residual."""
    a, b, c, d = (value(name) for name in "abcd")
    assigned = plan_scratch(listing((a, b), (b, c), (a, c, d)), [])
    assert assigned["a"] not in (assigned["b"], assigned["c"], assigned["d"])


def test_input_and_output_of_one_launch_never_share() -> None:
    a, b = value("a"), value("b")
    assigned = plan_scratch(listing((a, b)), [])
    assert assigned["a"] != assigned["b"]


def test_a_value_that_some_read_in_part_keeps_all_of_it() -> None:
    whole, part = value("a", 2000), Value("scratch", "a", 400, offset=1024)
    slots: list[Slot] = []
    assigned = plan_scratch(listing((whole,), (value("a", 1000), value("b")), (part,)), slots)
    assert assigned["a"] != assigned["b"]
    assert slots[assigned["a"]].bytes == 2048


def test_smallest_buffer_that_is_large_enough_is_taken() -> None:
    slots = [Slot(4096, 0), Slot(1024, 0), Slot(2048, 0)]
    assert plan_scratch(listing((value("a", 1000),)), slots) == {"a": 1}


def test_largest_free_buffer_grows_when_none_fits() -> None:
    slots = [Slot(256, 0), Slot(1024, 0)]
    assert plan_scratch(listing((value("a", 5000),)), slots) == {"a": 1}
    assert [slot.bytes for slot in slots] == [256, 5120]


def test_buffers_are_reused_by_the_next_function() -> None:
    slots: list[Slot] = []
    plan_scratch(listing((value("a"), value("b"))), slots)
    plan_scratch(listing((value("a", 300), value("b"))), slots)
    assert [slot.bytes for slot in slots] == [512, ALIGN]


def test_weights_state_and_outputs_take_no_scratch() -> None:
    logits = value("logits")
    slots: list[Slot] = []
    steps = listing((WEIGHT, CONTROL, logits), outputs={"logits": logits})
    assert plan_scratch(steps, slots) == {}
    assert slots == []


@pytest.mark.parametrize("seed", range(30))
def test_values_alive_at_one_time_never_share(seed: int) -> None:
    rng = random.Random(seed)
    slots: list[Slot] = []
    for function in range(2):
        steps = random_steps(rng)
        assigned = plan_scratch(listing(*steps), slots)
        lives = spans(steps)
        assert assigned.keys() == lives.keys()
        for name, (size, first, last) in lives.items():
            assert slots[assigned[name]].bytes >= size, function
            for other, (_, start, end) in lives.items():
                if other != name and start <= last and first <= end:
                    assert assigned[other] != assigned[name], (name, other)
        assert all(slot.bytes % ALIGN == 0 for slot in slots)


def random_steps(rng: random.Random) -> list[tuple[Value, ...]]:
    """Each launch reads up to three earlier values and writes a new one."""
    made: list[Value] = []
    steps = []
    for index in range(rng.randrange(1, 40)):
        reads = rng.sample(made, min(len(made), rng.randrange(4)))
        made.append(value(str(index), rng.randrange(1, 10_000)))
        steps.append((*reads, made[-1]))
    return steps


def spans(steps: list[tuple[Value, ...]]) -> dict[str, tuple[int, int, int]]:
    """Size, first and last launch of each value."""
    found: dict[str, tuple[int, int, int]] = {}
    for index, values in enumerate(steps):
        for one in values:
            first = found.get(one.name, (0, index, index))[1]
            found[one.name] = (one.bytes, first, index)
    return found
