"""Listings to plans: layers, kernel names, buffers, bindings."""

from __future__ import annotations

import pytest

from compiler.bundle.schema import FORMAT, Span
from compiler.kernels.cache import CacheShape
from compiler.lower.plan import Lowered, PackedTensor, _layers, _unique_names, write_plan
from compiler.lower.steps import CONTROL, Launch, Listing, Value
from tests.unit.lower.kernels import double, kernel_with, through_shared


def launch(layer: int | None, *names: str) -> Launch:
    values = tuple(Value("weight", name, 4, "values") for name in names)
    return Launch(kernel_with("any", names), values, layer)


@pytest.mark.parametrize(
    ("launches", "expected"),
    [
        ([launch(3)], [3]),
        ([launch(None, "model.layers.7.mlp.up.weight")], [7]),
        ([launch(None, "transformer.h.2.ln.bias")], [2]),
        ([launch(1, "model.layers.7.mlp.up.weight")], [1]),  # its own goes first
        ([launch(None), launch(0), launch(None), launch(1), launch(None)], [None, 0, 1, 1, None]),
        ([launch(None, "lm_head.weight")], [None]),
        ([launch(None), launch(None)], [None, None]),
        ([], []),
    ],
)
def test_layers(launches: list[Launch], expected: list[int | None]) -> None:
    assert _layers(launches) == expected


def test_kernels_of_one_name_are_numbered() -> None:
    kernels = [kernel_with(name, ("out", "x")) for name in ("a", "b", "a", "a")]
    named = _unique_names(kernels)
    assert [kernel.name for kernel in named] == ["a", "b", "a_v2", "a_v3"]
    symbols = [str(kernel.function.attrs["global_symbol"]) for kernel in named]
    assert symbols == ["a", "b", "a_v2", "a_v3"]


def scratch(name: str, size: int) -> Value:
    return Value("scratch", name, size)


WEIGHT = Value("weight", "layers.0.w", 256, "codes")
STATE = Value("state", "kv.0", 0)
DECODE = Listing(
    1,
    [
        Launch(double(), (scratch("1", 256), scratch("2", 256)), None),
        Launch(through_shared(), (scratch("2", 256), WEIGHT, STATE), 0),
        Launch(double(), (scratch("2", 256), scratch("logits", 256)), None),
    ],
    {"logits": scratch("logits", 256)},
)
PREFILL = Listing(4, [Launch(double(), (CONTROL, scratch("1", 512)), None)])
TENSORS = {"layers.0.w": PackedTensor(768, {"codes": Span("", 256, 512)})}


@pytest.fixture(scope="module")
def lowered() -> Lowered:
    functions = {"decode": DECODE, "prefill_4": PREFILL}
    return write_plan("f32", functions, {0: CacheShape(64, 2, 8)}, TENSORS, vocabulary=64)


def test_plan(lowered: Lowered) -> None:
    plan = lowered.plan
    assert (plan.format, plan.variant) == (FORMAT, "f32")
    names = [buffer.name for buffer in plan.buffers]
    fixed = ["control", "tokens", "sampling", "counts", "kv.0", "layers.0.w", "logits"]
    assert names == [*fixed, "scratch.0", "scratch.1"]
    cache = plan.buffers[names.index("kv.0")]
    assert (cache.bytes, cache.bytes_per_token) == (0, 2 * 2 * 8 * 4)
    assert plan.buffers[names.index("scratch.0")].bytes == 512  # shared with the prefill's

    decode = plan.functions["decode"]
    assert decode.outputs == {"logits": names.index("logits")}
    assert [step.layer for step in decode.steps] == [None, 0, None]
    assert [plan.kernels[step.kernel].name for step in decode.steps] == [
        "double",
        "reverse",
        "double",
    ]
    assert (decode.rows, plan.functions["prefill_4"].rows) == (1, 4)


def test_bindings_follow_the_shader_not_the_kernel(lowered: Lowered) -> None:
    names = [buffer.name for buffer in lowered.plan.buffers]
    first, second, third = lowered.plan.functions["decode"].steps
    bound = [(names[b.buffer], b.offset, b.bytes) for b in second.bindings]
    # Arguments are x, a_quads, out; the shader binds a_quads, out, x.
    assert bound == [("layers.0.w", 256, 512), ("kv.0", 0, 0), ("scratch.1", 0, 0)]
    assert [names[b.buffer] for b in first.bindings] == ["scratch.1", "scratch.0"]  # out, x
    assert [names[b.buffer] for b in third.bindings] == ["logits", "scratch.1"]


def test_kernel_spans_cut_the_text(lowered: Lowered) -> None:
    end = 0
    for record in lowered.plan.kernels:
        assert record.offset == end
        text = lowered.kernels[record.offset : record.offset + record.bytes].decode()
        assert f"fn {record.entry}(" in text
        assert text.count("@compute") == 1
        assert len(record.access) == text.count("@binding(")
        end += record.bytes
    assert end == len(lowered.kernels)
