"""All passes together: what they leave of whole models."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
import transformers as hf

from compiler.graph.passes import optimise, passes
from compiler.graph.program import Elementwise, Program, Rows, Source, Transposed
from compiler.trace.importer import trace
from compiler.trace.model import build_model
from tests.unit.checkpoint import tiny
from tests.unit.graph.interpret import evaluate
from tests.unit.graph.programs import operators, same_coding


def traced(config: hf.PretrainedConfig, rows: int = 1) -> Program:
    return trace(build_model(config), rows)


def webkiln(program: Program) -> Counter[str]:
    names = (name for name in operators(program) if name.startswith("webkiln."))
    return Counter(name.removeprefix("webkiln.") for name in names)


@pytest.fixture(scope="module")
def llama() -> Program:
    return traced(tiny.llama().config)


@pytest.fixture(scope="module")
def gpt2() -> Program:
    return traced(tiny.gpt2().config)


def test_pass_names_are_unique() -> None:
    names = [name for name, _ in passes(same_coding)]
    assert len(set(names)) == len(names)


def test_llama_layer_is_seven_operators(llama: Program) -> None:
    after = optimise(llama, same_coding, logits=True)
    # Per layer: two norms, QKV, append, attend, output projection, gate and up, down.
    layers = 2
    assert webkiln(after) == {
        "embed": 1,
        "rms_norm": 2 * layers + 1,
        "append": layers,
        "attend": layers,
        "linear": 4 * layers + 1,
    }
    others = {name for name in operators(after) if not name.startswith("webkiln.")}
    assert others <= {"relax.astype", "relax.multiply", "relax.concat", "relax.cos", "relax.sin"}


def test_gpt2_layer(gpt2: Program) -> None:
    after = optimise(gpt2, same_coding, logits=True)
    assert webkiln(after) == {
        "embed": 2,
        "layer_norm": 3,
        "append": 1,
        "attend": 1,
        "linear": 5,
    }
    assert Transposed(Source("transformer.h.0.mlp.c_fc.weight")) in after.weights.values()
    assert [name for name in operators(after) if not name.startswith("webkiln.")] == ["relax.add"]


@pytest.mark.slow
def test_gemma_norms_are_weights() -> None:
    config = tiny.small(hf.GemmaConfig, head_dim=8)
    after = optimise(traced(config), same_coding, logits=True)
    assert webkiln(after)["rms_norm"] == 3
    norm = Elementwise("relax.add", Source("model.norm.weight"), 1.0)
    assert norm in after.weights.values()


def test_prefill_has_no_lm_head(llama: Program) -> None:
    after = optimise(llama, same_coding, logits=False)
    # The last layer ends with what it appends to the cache.
    assert webkiln(after) == {"embed": 1, "rms_norm": 3, "append": 2, "attend": 1, "linear": 5}
    assert "lm_head.weight" in str(after.weights)  # tied: it is the embedding too


def test_codings_that_differ_keep_projections_apart(llama: Program) -> None:
    after = optimise(llama, lambda recipes: False, logits=True)
    assert webkiln(after)["linear"] == 7 * 2 + 1
    assert not any(isinstance(recipe, Rows) for recipe in after.weights.values())


def test_every_pass_is_dumped(
    llama: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBKILN_DUMP", str(tmp_path))
    optimise(llama, same_coding, logits=False)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[0] == "00-drop-empty.py"
    assert names[-1] == "17-cache-only.py"


@pytest.mark.slow
def test_gpt2_computes_what_pytorch_does() -> None:
    """The passes' result, operator by operator, against the model itself."""
    model = tiny.gpt2().eval()
    rows = 5
    after = optimise(traced(model.config, rows), same_coding, logits=True)
    ids = torch.arange(rows, dtype=torch.int32)[None] * 7
    inputs = {"ids": ids, "positions": torch.arange(rows, dtype=torch.int32)[None]}
    with torch.no_grad():
        (logits,) = evaluate(after, inputs, dict(model.state_dict()))
        expected = model(ids).logits
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
