"""`make shapes`: what the table says of models, and that resuming finds it again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.shapes import report
from tests.shapes.measure import Measured
from tests.shapes.published import PUBLISHED, config_of

BASE = {
    "weight_bytes": 4 * 10**9,
    "dispatches_per_layer": {"decode": 5, "prefill": 6},
    "max_binding_bytes": 262 * 10**6,
    "max_storage_buffers_per_stage": 7,
    "max_workgroup_bytes": 12800,
    "scratch_bytes": 10**6,
}
LLAMA = Measured(
    "llama-3.1-8b",
    architecture="LlamaForCausalLM",
    parameters=8_030_261_248,
    notes=["needs more for lm_head.weight"],
    seconds=61.4,
    peak_bytes=9 * 10**8,
    variants={"f32": BASE},
)
V3 = Measured("deepseek-v3", "takes a | too many")


def test_written_in_order_of_families_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "JSON", tmp_path / "shapes.json")
    monkeypatch.setattr(report, "MARKDOWN", tmp_path / "shapes.md")
    assert report.read() == {}
    report.write([V3, LLAMA])
    assert report.read() == {"llama-3.1-8b": LLAMA, "deepseek-v3": V3}
    assert list(report.read()) == ["llama-3.1-8b", "deepseek-v3"]
    lines = (tmp_path / "shapes.md").read_text().splitlines()
    assert (
        "| llama-3.1-8b | 8.03 G | 4.0 GB | decode 5, prefill 6 | 262.0 MB | 7 | 12.8 kB | 1.0 MB "
        "| 61 | 900.0 MB |" in lines
    )
    assert "| llama-3.1-8b | needs more for lm_head.weight |" in lines
    assert "| deepseek-v3 | takes a \\| too many |" in lines
    assert f"Of {len(PUBLISHED)} published models 2 were tried and 1 compile" in "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "millions"),
    [("llama-2-7b", 6738), ("mixtral-8x7b", 46703), ("smollm2-135m", 135), ("gpt-oss-20b", 20915)],
)
def test_configurations_make_models_of_the_published_size(name: str, millions: int) -> None:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config_of(name))
    assert round(model.num_parameters() / 10**6) == millions
