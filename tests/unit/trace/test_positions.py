"""Models that count positions get them from the input."""

from __future__ import annotations

import pytest
import torch

from compiler.errors import UnsupportedModelError
from compiler.subject import limits_of
from compiler.trace.model import build_model
from compiler.trace.positions import LENGTH, count_from_input, skipped
from tests.coverage.configs import tiny

ROWS = 3


class Counting(torch.nn.Module):
    """Positions as a model makes them that asks its cache how long it is."""

    def __init__(self, make: str) -> None:
        super().__init__()
        self.make = make

    def forward(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        made = {
            "range": lambda: torch.arange(LENGTH, LENGTH + ROWS),
            "offset": lambda: torch.arange(LENGTH + 2, LENGTH + 2 + ROWS),
            "sum": lambda: torch.arange(ROWS) + LENGTH,
            "all": lambda: torch.arange(LENGTH + ROWS)[-ROWS:],
        }[self.make]()
        return ids + made


def exported(make: str) -> torch.export.ExportedProgram:
    ids = torch.zeros(1, ROWS, dtype=torch.int32)
    return torch.export.export(Counting(make), (ids, ids.clone()))


@pytest.mark.parametrize(("make", "offset"), [("range", 0), ("offset", 2), ("sum", 0)])
def test_what_was_counted_follows_the_input(make: str, offset: int) -> None:
    program = exported(make)
    count_from_input(program, ROWS)
    ids = torch.tensor([[10, 20, 30]], dtype=torch.int32)
    places = torch.tensor([[7, 8, 9]], dtype=torch.int32)
    got = program.graph_module(ids, places)[0]
    assert got.tolist() == (ids + places + offset).tolist()


def test_other_uses_of_the_length_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="counts positions in a way"):
        count_from_input(exported("all"), ROWS)


def test_positions_that_a_table_keeps_for_padding() -> None:
    for name, count in (("roberta", 1), ("bert", 0), ("opt", 0), ("llama", 0)):
        model = build_model(tiny(name))
        assert skipped(model) == count
        assert limits_of(model).context == 320 - count


def test_what_configurations_call_their_context() -> None:
    for name, key in (("mpt", "max_seq_len"), ("whisper", "max_target_positions")):
        config = tiny(name)
        setattr(config, key, 96)
        assert limits_of(build_model(config)).context == 96
