"""Architectures unlike those of test_architectures.py, as `make coverage` judges all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.coverage.judge import judge_in
from tests.support.tiers import sampled
from web.verify import BrowserEngine

NAMES = (
    "bert",  # norm after each sum, positions of a table
    "bloom",  # ALiBi, norm after the embedding
    "cohere2",  # windows and full attention in turn, attention beside the MLP, scaled logits
    "deepseek_v2",  # latent attention, complex rotary embedding, groups of experts
    "falcon",  # attention beside the MLP, its own attention code
    "falcon_h1",  # attention beside a state-space layer
    "gpt_oss",  # attention sinks, experts with biases
    "gptj",  # rotary embedding of neighbours
    "llama4_text",  # experts that scale their input, norms of heads, layers without positions
    "mixtral",
    "mpt",  # ALiBi, no biases
    "opt",  # positions with an offset, ReLU
    "phimoe",  # a window that only the mask knows, experts chosen one by one
    "qwen3_next",  # linear attention by the delta rule, convolutions
    "roberta",  # positions from after its padding index on
)
MORE = (
    "bart",  # the decoder half of a translator
    "deepseek_v32",  # keys chosen by an indexer
    "gemma3n_text",  # layers that share keys and values, inputs of each layer's own
    "gpt_neo",  # windows in its own attention code, no scaling
    "rembert",  # attention that is written out
)


@pytest.mark.parametrize("name", sampled([*NAMES, *MORE], NAMES))
def test_matches_pytorch_on_webgpu_and_wasm(name: str, models: Path, engine: BrowserEngine) -> None:
    verdict = judge_in(engine, models, name)
    assert verdict.matches, verdict.reason
