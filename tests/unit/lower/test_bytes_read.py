"""What a token costs, counted by hand from the shapes of a model."""

from __future__ import annotations

import pytest
from transformers import PretrainedConfig

from compiler.bundle.schema import Span
from compiler.lower import targets
from compiler.lower.launches import Launch, Listing, Value
from compiler.lower.plan import PackedTensor, bytes_read
from compiler.lower.targets import Target
from compiler.lower.tensors import Store
from compiler.programs import legal_graphs, lower, trace_functions
from compiler.progress import SilentProgress
from compiler.subject import open_subject
from tests.bench.gpu.shapes import Shapes, packed
from tests.unit.checkpoint import tiny
from tests.unit.lower.kernels import kernel_with


def read(config: PretrainedConfig, target: Target, quantization: str) -> int:
    """Bytes that a token of the model reads."""
    subject = open_subject(Shapes("model", config))
    store = Store(subject.coded(quantization))
    graphs = trace_functions(subject, store.coding, [target.one_by_one()], SilentProgress())
    legal = legal_graphs(graphs, target)
    decode = lower(legal, target, subject.limits, store).listings["decode"]
    return bytes_read(decode, packed(store))


@pytest.mark.slow
@pytest.mark.parametrize("target", [targets.WEBGPU, targets.WASM], ids=lambda one: one.name)
@pytest.mark.parametrize(("quantization", "per_32"), [("f32", 128), ("q4", 20), ("q8", 34)])
def test_a_dense_model(target: Target, quantization: str, per_32: int) -> None:
    """Every matrix once, the head that shares the embedding's weights, and one row of it."""
    hidden, inner, vocabulary, heads, grouped = 64, 96, 288, 4, 2
    head = hidden // heads
    attention = (heads + 2 * grouped) * head * hidden + hidden * hidden
    layer = attention + 3 * inner * hidden
    matrices = 2 * layer + vocabulary * hidden + hidden  # the last: a row of the embedding
    norms = 5 * hidden * 4
    rotary = head // 2 * 4
    expected = matrices // 32 * per_32 + norms + rotary
    assert read(tiny.llama().config, target, quantization) == expected


@pytest.mark.slow
@pytest.mark.parametrize("target", [targets.WEBGPU, targets.WASM], ids=lambda one: one.name)
def test_of_experts_those_that_are_chosen(target: Target) -> None:
    hidden, inner, vocabulary, head = 16, 24, 64, 8
    attention = (2 + 2) * head * hidden + hidden * hidden
    chosen = 2 * 3 * inner * hidden  # two of four experts, three matrices each
    router = 4 * hidden
    floats = attention + chosen + router + vocabulary * hidden + hidden
    norms, rotary = 3 * hidden, head // 2
    assert read(tiny.mixtral(), target, "f32") == 4 * (floats + norms + rotary)


def test_what_two_steps_share_is_read_twice_and_a_share_is_rounded_up() -> None:
    kernel, weight = kernel_with("any", ("w",)), Value("weight", "w", 0, "codes")
    launches = [
        Launch(kernel, (weight,), None),
        Launch(kernel, (weight,), None, reads=1 / 3),
        Launch(kernel, (Value("state", "kv.0", 100),), None),
    ]
    parts = {"codes": Span("", 256, 100), "scales": Span("", 0, 50)}
    assert bytes_read(Listing(1, launches), {"w": PackedTensor(512, parts)}) == 100 + 34
