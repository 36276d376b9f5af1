"""No 64-bit number is left of what models count with."""

from __future__ import annotations

import pytest
import torch
import tvm
from tvm import relax

from compiler.errors import UnsupportedModelError
from compiler.trace.importer import import_program

INPUTS = torch.zeros(1, 3, dtype=torch.int32), torch.zeros(1, 3, 8)


class Counts(torch.nn.Module):
    """Makes indices with PyTorch's defaults."""

    def __init__(self, far: tuple[int, ...] = (2**63 - 1, 1, -(2**63))) -> None:
        super().__init__()
        self.far = torch.tensor(far)

    def forward(self, ids: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        steps = torch.arange(ids.shape[1]) + ids
        chosen = x.topk(2, dim=-1).indices
        largest = torch.where(steps > 1, steps, self.far)
        return chosen.to(torch.int64) + largest[..., None]


def test_every_result_is_of_32_bits() -> None:
    program = import_program(torch.export.export(Counts(), INPUTS))
    kinds = set()
    for binding in program.module["main"].body.blocks[0].bindings:
        for kind in getattr(binding.var.ty, "fields", [binding.var.ty]):
            kinds.add(str(kind.dtype))
    assert kinds <= {"int32", "float32", "bool"}


def test_the_largest_constants_become_the_largest_of_32_bits() -> None:
    program = import_program(torch.export.export(Counts(), INPUTS))
    constants = [
        arg.value.numpy().tolist()
        for binding in program.module["main"].body.blocks[0].bindings
        if isinstance(binding.value, relax.Call)
        for arg in binding.value.args
        if isinstance(arg, tvm.ir.GenericConst)
    ]
    assert [2**31 - 1, 1, -(2**31)] in constants


def test_other_constants_that_do_not_fit_are_refused() -> None:
    """As the multipliers of hashes are."""
    exported = torch.export.export(Counts((2**40, 1, 2)), INPUTS)
    with pytest.raises(UnsupportedModelError, match=f"counts with {2**40}"):
        import_program(exported)
