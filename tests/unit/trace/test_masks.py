"""What is read from the masks that models make."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers as hf
from transformers.masking_utils import (
    bidirectional_mask_function,
    blockwise_overlay,
    causal_mask_function,
    chunked_causal_mask_function,
    create_causal_mask,
    create_sliding_window_causal_mask,
    or_masks,
    packed_sequence_compatibility_function,
    sliding_window_bidirectional_mask_function,
    sliding_window_causal_mask_function,
)

from compiler.errors import UnsupportedModelError
from compiler.graph import ops
from compiler.trace import attention, masks
from compiler.trace.importer import trace
from compiler.trace.model import build_model
from tests.unit.checkpoint import tiny

ZEROS = torch.zeros(1, 5)
PACKED = packed_sequence_compatibility_function(
    sliding_window_causal_mask_function(6), ZEROS.int(), ZEROS
)


class Attention(torch.nn.Module):
    pass


def make(function: Any, **config: Any) -> Any:
    return masks.make(q_length=5, mask_function=function, config=SimpleNamespace(**config), dtype=0)


@pytest.mark.parametrize(
    ("function", "windows"),
    [
        (causal_mask_function, {0}),
        (sliding_window_causal_mask_function(6), {6}),
        (chunked_causal_mask_function(4, ZEROS[:, 0]), {0}),
        (PACKED, {6}),
        (or_masks(causal_mask_function, blockwise_overlay(ZEROS)), {0}),
        (bidirectional_mask_function, set()),
        (sliding_window_bidirectional_mask_function(6), set()),
    ],
)
def test_windows_are_read_from_mask_functions(function: Any, windows: set[int]) -> None:
    with masks.noted() as noted:
        assert make(function) is None
    assert noted.windows == windows


def test_other_masks_are_refused() -> None:
    image = or_masks(causal_mask_function, lambda *_: torch.tensor(True))
    with pytest.raises(UnsupportedModelError, match="masks attention by or_masks"):
        make(image)


def test_only_mask_decides_whatever_a_layer_says() -> None:
    with masks.noted():
        make(sliding_window_causal_mask_function(6))
        assert masks.window(Attention(), 0, 0) == 6


def test_layers_choose_among_masks() -> None:
    with masks.noted():
        make(sliding_window_causal_mask_function(6))
        make(causal_mask_function)
        assert masks.window(Attention(), 0, 6) == 6
        assert masks.window(Attention(), 0, 0) == 0
        with pytest.raises(UnsupportedModelError, match="Attention has a window of 7 tokens"):
            masks.window(Attention(), 0, 7)


@pytest.mark.slow
def test_the_kind_of_a_layer_decides_where_it_says_nothing() -> None:
    """As Qwen2-MoE's, whose attention leaves windows to the mask."""
    config = tiny.small(
        hf.Qwen2MoeConfig,
        moe_intermediate_size=8,
        shared_expert_intermediate_size=8,
        num_hidden_layers=2,
        num_experts=2,
        num_experts_per_tok=1,
        use_sliding_window=True,
        sliding_window=6,
        max_window_layers=1,
    )
    assert config.layer_types == ["sliding_attention", "full_attention"]
    program = trace(build_model(config), 1)
    calls = ops.calls(program.module, "webkiln.attention")
    assert [int(ops.setting(call, "window")) for call in calls] == [6, 0]


def test_without_masks_layers_decide() -> None:
    with masks.noted():
        assert masks.window(Attention(), 0, 7) == 7


def test_models_that_choose_keys_get_a_mask_of_zeros() -> None:
    with masks.noted() as noted:
        mask = make(causal_mask_function, index_topk=8)
    assert torch.equal(mask, torch.zeros(1, 1, 5, 5))
    assert noted.made(mask)
    assert not noted.made(mask.clone())


def test_transformers_hands_its_masks_over() -> None:
    """The functions' names are transformers' own: this fails if they change."""
    attention.register()
    config = tiny.llama().config
    config.sliding_window = 6
    config._attn_implementation = attention.IMPLEMENTATION
    with masks.noted() as noted:
        create_causal_mask(config, torch.zeros(1, 5, 8), None, None)
        create_sliding_window_causal_mask(config, torch.zeros(1, 5, 8), None, None)
    assert noted.windows == {0, 6}


@pytest.mark.slow
def test_window_that_only_the_mask_knows() -> None:
    """As Phi-3.5-MoE's, whose attention passes none on."""
    config = tiny.small(hf.PhimoeConfig, num_local_experts=2, sliding_window=6)
    calls = ops.calls(trace(build_model(config), 4).module, "webkiln.attention")
    assert [int(ops.setting(call, "window")) for call in calls] == [6]


def test_reach_of_attention() -> None:
    config = SimpleNamespace(attention_chunk_size=512, index_topk=None)
    assert masks.reach(config) == [512]
    assert masks.reach(SimpleNamespace(index_topk_blocks=4, index_block_size=32)) == [128]
    assert masks.reach(SimpleNamespace()) == []
