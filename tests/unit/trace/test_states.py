"""States of recurrent models: where they are found, and what a trace makes of them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import transformers as hf
from torch._subclasses.fake_tensor import FakeTensorMode

from compiler.errors import UnsupportedModelError
from compiler.graph import ops
from compiler.graph.passes import optimise
from compiler.graph.program import Program, State
from compiler.trace.importer import trace
from compiler.trace.model import build_model
from compiler.trace.states import Kept, kept, run
from tests.coverage.configs import tiny

pytestmark = pytest.mark.slow  # traces or compiles models

CONV, RECURRENT = State("conv.0.0", (1, 128, 4)), State("recurrent.0.0", (1, 128, 8))


def model(name: str) -> hf.PreTrainedModel:
    return build_model(tiny(name))


def read(program: Program) -> list[str]:
    return [str(ops.setting(x, "of")) for x in ops.calls(program.module, "webkiln.state")]


def results(program: Program) -> list[tuple[int, ...]]:
    return [tuple(int(n) for n in kind.shape) for kind in program.module["main"].ret_ty.fields]


def test_those_in_a_cache() -> None:
    found = kept(model("mamba"))
    assert (found.argument, found.states[:2]) == ("cache_params", (CONV, RECURRENT))
    assert found.layers == {0, 1}


def test_layers_of_attention_have_none_and_layers_of_an_mlp_need_none() -> None:
    found = kept(model("nemotron_h"))  # mamba, experts, attention, mlp
    assert [state.name for state in found.states] == ["conv.0.0", "recurrent.0.0"]
    assert found.layers == {0, 1, 3}


def test_those_in_modules() -> None:
    made = model("recurrent_gemma")
    found = kept(made)
    names = {state.name.rpartition(".")[2] for state in found.attributes}
    assert names == {"conv1d_state", "recurrent_states"}
    assert found.layers == {0}
    block = made.get_submodule("model.layers.0.temporal_block")
    assert block.conv1d_state is None  # as it was


def test_a_model_without() -> None:
    assert kept(model("llama")).states == ()


def test_a_program_reads_each_and_gives_its_new_value() -> None:
    program = trace(model("mamba"), 1)
    names = [state.name for state in program.states]
    assert len(names) == 4
    assert sorted(read(program)) == sorted(names)
    assert results(program) == [(1, 1, 260), *(state.shape for state in program.states)]


def test_prefill_is_for_the_states_alone() -> None:
    program = optimise(trace(model("mamba"), 1), lambda *_: True, logits=False)
    assert results(program) == [state.shape for state in program.states]


def test_modules_are_left_as_they_were_found() -> None:
    made = model("recurrent_gemma")
    trace(made, 1)
    tensors = [v for m in made.modules() for v in vars(m).values() if isinstance(v, torch.Tensor)]
    assert tensors == []


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("minimax", ["cache.linear_cache.1"]),
        ("rwkv", [f"cache.{index}" for index in range(5)]),
        ("xlstm", [*(f"cache.rnn_state.{i}.{j}" for i in range(2) for j in range(3))]),
    ],
)
def test_those_in_a_cache_of_another_kind(name: str, states: list[str]) -> None:
    program = trace(model(name), 1)
    assert {*states} <= {state.name for state in program.states}
    assert results(program)[1:] == [state.shape for state in program.states]


class Growing(torch.nn.Module):
    def forward(
        self, input_ids: torch.Tensor, state: list[torch.Tensor], use_cache: bool
    ) -> SimpleNamespace:
        state[0] = torch.cat([state[0], input_ids.float()], dim=1)
        return SimpleNamespace(logits=state[0].sum())


def test_what_grows_is_refused() -> None:
    states = (State("cache.0", (1, 4)),)
    with FakeTensorMode():
        ids = torch.zeros(1, 1, dtype=torch.int32)
        grown = Kept("state", states, [torch.zeros(1, 4)])
        with pytest.raises(UnsupportedModelError, match=r"Growing keeps cache\.0, which grows"):
            run(Growing(), grown, ids, input_ids=ids)
