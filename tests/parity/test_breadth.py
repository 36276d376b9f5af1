"""Architectures unlike those of test_architectures.py, as `make coverage` judges all of them."""

from __future__ import annotations

import pytest

from tests.coverage.judge import judge

NAMES = (
    "bloom",  # ALiBi, norm after the embedding
    "deepseek_v2",  # latent attention, complex rotary embedding, groups of experts
    "falcon",  # attention beside the MLP, its own attention code
    "gpt_oss",  # attention sinks, experts with biases
    "gptj",  # rotary embedding of neighbours
    "mixtral",
    "opt",  # positions with an offset, ReLU
)


@pytest.mark.parametrize("name", NAMES)
def test_matches_pytorch_on_webgpu_and_wasm(name: str) -> None:
    verdict = judge(name)
    assert verdict.matches, verdict.reason
