"""What is found out about a user's module before it is compiled."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from compiler.checkpoint.own import OwnCheckpoint
from compiler.errors import UnsupportedModelError
from compiler.graph import ops
from compiler.trace.own import OwnModel, prepare
from tests.support import own_models


def prepared(module: nn.Module | ExportedProgram, limit: int | None = None) -> OwnModel:
    return prepare(module.eval() if isinstance(module, nn.Module) else module, "m", limit, None)


def exported(module: nn.Module, rows: object = Dim.DYNAMIC, shape: int = 8) -> ExportedProgram:
    ids = torch.zeros(1, shape, dtype=torch.long)
    dynamic = None if rows is None else ({1: rows},)
    return torch.export.export(module.eval(), (ids,), dynamic_shapes=dynamic)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["module", "program"])
def test_a_module_that_counts_positions(source: str) -> None:
    module = own_models.nano()
    model = prepared(module if source == "module" else exported(module))
    assert (model.vocabulary, model.context, model.recomputed) == (288, 64, "")
    assert model.parameters == sum(p.numel() for p in module.parameters())
    program = model.trace(3)
    names = {recipe.name for recipe in program.weights.values()}  # type: ignore[union-attr]
    known = dict(module.named_parameters(remove_duplicate=False))
    assert "places.weight" in names
    assert names < known.keys()
    ids, positions, *_ = program.module["main"].params
    assert ops.shape(ids) == ops.shape(positions) == (1, 3)


@pytest.mark.slow
def test_a_module_that_takes_positions() -> None:
    model = prepared(own_models.llama(), own_models.Llama.context)
    assert (model.context, model.recomputed) == (96, "")


@pytest.mark.parametrize(("limit", "context"), [(None, 4096), (100, 100)])
def test_context_of_a_module_without_limit(limit: int | None, context: int) -> None:
    assert prepared(own_models.bigram(), limit).context == context


@pytest.mark.slow
def test_recomputed(  # the reason has the line of code
) -> None:
    model = prepared(own_models.written())
    assert model.recomputed == "aten.matmul (y = scores.softmax(-1) @ v)"
    assert model.context == own_models.CONTEXT
    inputs = [
        p for p in model.trace(64).module["main"].params if p.name not in model.trace(64).weights
    ]
    assert [ops.shape(p) for p in inputs] == [(1, 64), (1, 64), (1,)]


def test_only_one_row_reaches_the_head() -> None:
    model = prepared(own_models.convolved(), 40)
    ids = torch.randint(288, (1, 40), dtype=torch.int32)
    positions = torch.arange(40, dtype=torch.int32)[None]
    row = model.graph(ids, positions, torch.tensor([11], dtype=torch.int32))
    expected = own_models.convolved()(ids.long()[:, :12])[:, -1:]
    assert torch.allclose(row, expected, atol=1e-6)
    linear = [n for n in model.graph.graph.nodes if n.target is torch.ops.aten.linear.default][-1]
    assert linear.args[0].target is torch.ops.aten.index_select.default


class Branches(nn.Module):
    """Another way for long texts."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = own_models.bigram()

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.inner(ids)
        return logits * 2 if ids.shape[1] > 20 else logits


class Returns(nn.Module):
    def __init__(self, what: str) -> None:
        super().__init__()
        self.what, self.inner = what, own_models.bigram()

    def forward(self, ids: Tensor) -> object:
        logits: Tensor = self.inner(ids)
        made = {
            "tuple": (logits, None),
            "last": logits[:, [-1]],
            "flat": logits[0],
            "ids": logits.argmax(-1)[..., None],
        }
        if self.what == "raises":
            raise ValueError("no\nway")
        return made[self.what]


class Takes(nn.Module):
    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return mask[ids]


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Returns("tuple"), "m returns a tuple: return logits alone"),
        (Returns("last"), r"float32 of shape \(1, 1, 288\) for 8 token ids: return logits of"),
        (Returns("flat"), r"of shape \(8, 288\)"),
        (Returns("ids"), r"int64 of shape \(1, 8, 1\)"),
        (Returns("raises"), "m fails on 8 token ids: ValueError: no way"),
        (Takes(), r"forward of m takes \(ids, mask\)"),
        (own_models.blurred(), "m is not causal: its logits after token .* depend on later tokens"),
    ],
)
def test_what_is_no_language_model(module: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedModelError, match=message):
        prepared(module)


def test_logits_that_depend_on_the_number_of_tokens() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = own_models.bigram()

        def forward(self, ids: Tensor) -> Tensor:
            logits: Tensor = self.inner(ids) / ids.shape[1]
            return logits

    with pytest.raises(UnsupportedModelError, match="depend on the number of tokens"):
        prepared(Scaled())


def test_a_branch_on_length_limits_the_context() -> None:
    """Only what was traced is compiled; the rest of the module is another one."""
    assert prepared(Branches()).context == 20


@pytest.mark.parametrize("rows", [None, "batch"])
def test_programs_of_a_fixed_shape(rows: str | None) -> None:
    program = exported(own_models.bigram(), None)
    if rows == "batch":
        ids = torch.zeros(2, 8, dtype=torch.long)
        dynamic = ({0: Dim.DYNAMIC, 1: Dim.DYNAMIC},)
        program = torch.export.export(own_models.bigram().eval(), (ids,), dynamic_shapes=dynamic)
    with pytest.raises(UnsupportedModelError, match=r"export it for ids of shape \(1, rows\) with"):
        prepared(program)


@pytest.mark.slow
def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    """The module, and the program that its second block exports."""
    text = (Path(__file__).parents[3] / "docs" / "own.md").read_text()
    source, export = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "mine.py").write_text(source)
    made = OwnCheckpoint(f"{tmp_path}/mine.py:make_model")
    model = prepare(made.module, made.label, made.context, None)
    assert (model.context, model.recomputed) == (256, "")
    path = tmp_path / "mine.pt2"
    names = {"torch": torch, "make_model": sys.modules["mine"].make_model}  # type: ignore[attr-defined]
    exec(export.replace("mine.pt2", str(path)), names)
    saved = OwnCheckpoint(str(path))
    model = prepare(saved.module, saved.label, saved.context, None)
    assert (model.context, model.recomputed) == (256, "")
