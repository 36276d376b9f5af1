"""Listings to plans: layers, buffers, bindings."""

from __future__ import annotations

import pytest

from compiler.bundle.schema import FORMAT, Kernel, Plan, Span
from compiler.kernels.specs import CacheShape
from compiler.lower.kernel_files import KernelFiles
from compiler.lower.launches import CONTROL, Launch, Listing, Value
from compiler.lower.plan import PackedTensor, _layers, kernels_of, write_plan
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


def test_a_matrix_names_the_layer_whatever_vectors_come_with_it() -> None:
    values = (
        Value("weight", "layers.1.norm+final", 4, "values"),
        Value("weight", "lm", 4, "codes"),
    )
    last = Launch(kernel_with("any", ("vectors", "codes")), values, None)
    assert _layers([launch(None, "layers.1.w"), last]) == [1, None]


def test_kernels_are_listed_once_in_order_of_use() -> None:
    a, b = (kernel_with(name, ("x",)) for name in "ab")
    one, two = (
        Listing(1, [Launch(kernel, (), None) for kernel in kernels])
        for kernels in ((b, a, b), (a, b))
    )
    assert kernels_of([one, two]) == [b, a]


def scratch(name: str, size: int) -> Value:
    return Value("scratch", name, size)


DOUBLE = double(grid=4)
WEIGHT = Value("weight", "layers.0.w", 256, "codes")
STATE = Value("state", "kv.0", 0)
DECODE = Listing(
    1,
    [
        Launch(DOUBLE, (scratch("1", 256), scratch("2", 256)), None),
        Launch(through_shared(), (scratch("2", 256), WEIGHT, STATE), 0),
        Launch(DOUBLE, (scratch("2", 256), scratch("logits", 256)), None),
    ],
    {"logits": scratch("logits", 256)},
)
PREFILL = Listing(4, [Launch(DOUBLE, (CONTROL, scratch("1", 512)), None)])
TENSORS = {"layers.0.w": PackedTensor(768, {"codes": Span("", 256, 512)})}
# The shader of `reverse` binds its buffers in another order than the kernel names them.
ARGUMENTS = [("out", "x"), ("a_quads", "out", "x")]
FILES = KernelFiles(
    [
        Kernel(name, name, 0, 0, [64, 1, 1], 0, ["read"] * len(names))
        for name, names in zip(("double", "reverse"), ARGUMENTS, strict=True)
    ],
    ARGUMENTS,
    {DOUBLE: 0, through_shared(): 1},
    {"f32": b""},
)


def written(tensors: dict[str, PackedTensor]) -> Plan:
    functions = {"decode": DECODE, "prefill_4": PREFILL}
    return write_plan("f32", functions, FILES, {0: CacheShape(64, 2, 8)}, tensors, vocabulary=64)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return written(TENSORS)


def test_plan(plan: Plan) -> None:
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
    assert [step.grid for step in decode.steps] == [[4, 1, 1], [1, 1, 1], [4, 1, 1]]
    assert (decode.rows, plan.functions["prefill_4"].rows) == (1, 4)


def test_bindings_follow_the_file_not_the_kernel(plan: Plan) -> None:
    names = [buffer.name for buffer in plan.buffers]
    first, second, third = plan.functions["decode"].steps
    bound = [(names[b.buffer], b.offset, b.bytes) for b in second.bindings]
    # Arguments are x, a_quads, out; the shader binds a_quads, out, x.
    assert bound == [("layers.0.w", 256, 512), ("kv.0", 0, 0), ("scratch.1", 0, 0)]
    assert [names[b.buffer] for b in first.bindings] == ["scratch.1", "scratch.0"]  # out, x
    assert [names[b.buffer] for b in third.bindings] == ["logits", "scratch.1"]


def test_part_of_a_scratch_buffer() -> None:
    part = Value("scratch", "1", 256, offset=512)
    both = [scratch("1", 768), scratch("2", 256)], [part, scratch("3", 256)]
    listing = Listing(1, [Launch(DOUBLE, tuple(values), None) for values in both])
    functions = {"decode": listing}
    caches = {0: CacheShape(64, 2, 8)}
    first, second = write_plan("f32", functions, FILES, caches, {}, 64).functions["decode"].steps
    # The shader binds out, x; only a part has a size of its own.
    assert [(b.offset, b.bytes) for b in first.bindings] == [(0, 0), (0, 0)]
    assert [(b.offset, b.bytes) for b in second.bindings] == [(0, 0), (512, 256)]
    assert first.bindings[1].buffer == second.bindings[1].buffer


def test_weights_that_no_launch_uses_are_left_out(plan: Plan) -> None:
    """A bundle's weights are those of every target, and each has some of its own."""
    others = {"constant.abc": PackedTensor(256, {"values": Span("", 0, 256)}), **TENSORS}
    assert written(others) == plan


def test_an_embedder_has_no_state_to_sample_with() -> None:
    launches = [Launch(DOUBLE, (CONTROL, scratch("vector", 128)), None)]
    listing = Listing(4, launches, {"embedding": scratch("vector", 128)})
    plan = write_plan("f32", {"embed_4": listing}, FILES, {}, {}, vocabulary=64)
    assert [(b.name, b.kind, b.bytes) for b in plan.buffers] == [
        ("control", "state", 256),
        ("embedding", "output", 128),
    ]
    assert plan.functions["embed_4"].outputs == {"embedding": 1}
