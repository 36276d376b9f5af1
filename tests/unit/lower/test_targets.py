"""Targets and their variants, and what a plan demands of a device."""

from __future__ import annotations

from typing import Literal

from compiler.bundle.schema import (
    FORMAT,
    WASM_RESERVED,
    Binding,
    Buffer,
    Function,
    Kernel,
    Memory,
    Plan,
    Requirements,
    Span,
    Step,
    Variant,
)
from compiler.lower.plan import PackedTensor
from compiler.lower.targets import (
    ADDRESSES,
    DEFAULT_LIMITS,
    TARGETS,
    WASM,
    WEBGPU,
    beyond_addresses,
    beyond_default,
    memory,
    requirements,
    size,
)

MIB = 1024 * 1024
BUFFERS = [
    Buffer("control", "state", 256, 0),
    Buffer("kv.0", "state", 0, 1024),
    Buffer("w", "weight", 300 * MIB, 0),
    Buffer("logits", "output", 1000, 0),
    Buffer("scratch.0", "scratch", 4096, 0),
]
KERNELS = [
    Kernel("a", "a", 0, 10, [64, 4, 1], 8192, ["read", "read_write"]),
    Kernel("b", "b", 10, 10, [32, 1, 1], 1024, ["read", "read", "read", "read_write"]),
]


def plan(*bindings: Binding, grid: tuple[int, int, int] = (7, 3, 1)) -> Plan:
    steps = [Step(0, list(grid), list(bindings), None, None)]
    return Plan(FORMAT, "f32", False, BUFFERS, KERNELS, {"decode": Function(1, {}, steps)})


def test_limits_are_the_most_any_step_needs() -> None:
    bound = plan(Binding(2, 256, 100 * MIB), Binding(1, 0, 0), Binding(4, 1024, 0))
    needed = requirements(WEBGPU, [bound], [], 2000)
    assert needed.features == []
    assert needed.limits == {
        "maxStorageBuffersPerShaderStage": 4,
        "maxComputeWorkgroupStorageSize": 8192,
        "maxComputeInvocationsPerWorkgroup": 256,
        "maxComputeWorkgroupSizeX": 64,
        "maxComputeWorkgroupsPerDimension": 7,
        "maxStorageBufferBindingSize": 100 * MIB,
        "maxBufferSize": 300 * MIB,
    }


def test_binding_to_the_end_grows_with_the_context() -> None:
    bound = plan(Binding(1, 0, 0))
    key = "maxStorageBufferBindingSize"
    assert requirements(WEBGPU, [bound], [], 100).limits[key] == 100 * 1024
    assert requirements(WEBGPU, [bound], [], 1000).limits[key] == 1000 * 1024


def test_limits_have_the_names_of_the_guaranteed_ones() -> None:
    limits = requirements(WEBGPU, [plan(Binding(0, 0, 0))], [], 1).limits
    assert limits.keys() == DEFAULT_LIMITS.keys()


def test_webassembly_has_features_and_no_limits() -> None:
    needed = requirements(WASM, [plan(Binding(0, 0, 0))], ["simd128", "threads"], 1)
    assert (needed.features, needed.limits) == (["simd128", "threads"], {})


def test_variants_come_best_first() -> None:
    """The ladder goes down in this order."""
    names = [name for target in TARGETS for name in target.variants]
    assert names == [
        "f16-subgroups",
        "f16",
        "f32-subgroups",
        "f32",
        "wasm-threads-relaxed",
        "wasm-threads",
        "wasm-relaxed",
        "wasm",
    ]
    counts = [len(features) for features in WASM.variants.values()]
    assert counts == sorted(counts, reverse=True)


def test_a_variant_is_named_after_its_features() -> None:
    words = {"simd128": "wasm", "threads": "threads", "relaxed-simd": "relaxed"}
    for name, features in WASM.variants.items():
        assert set(name.split("-")) == {words[feature] for feature in features}


def test_what_is_beyond_the_guaranteed_limits_is_named() -> None:
    wanted = {**DEFAULT_LIMITS, "maxBufferSize": 300 * MIB}
    assert beyond_default(DEFAULT_LIMITS) == []
    assert beyond_default(wanted) == [
        "needs maxBufferSize of 314,572,800; devices guarantee only 268,435,456"
    ]


def test_memory_by_kind() -> None:
    total = memory([plan(Binding(0, 0, 0))])
    assert (total.weights, total.scratch) == (300 * MIB, 5096)
    assert (total.state_base, total.state_per_token) == (256, 1024)


def test_size_of_a_buffer() -> None:
    assert size(BUFFERS[1], 10) == 10240
    assert size(BUFFERS[0], 10) == 256


def test_a_raised_limit_names_its_weight() -> None:
    limits = {"maxBufferSize": 300 * MIB, "maxComputeWorkgroupsPerDimension": 70000}
    codes = {"codes": Span("", 0, 200 * MIB)}
    tensors = {"head": PackedTensor(300 * MIB, codes), "table": PackedTensor(300 * MIB, codes)}
    assert beyond_default(limits, tensors) == [
        "needs maxBufferSize of 314,572,800 for head and 1 more; devices guarantee only "
        "268,435,456",
        "needs maxComputeWorkgroupsPerDimension of 70,000; devices guarantee only 65,535",
    ]


def test_models_that_webassembly_cannot_hold_say_so() -> None:
    def variant(backend: Literal["webgpu", "wasm"], weights: int) -> Variant:
        memory = Memory(weights=weights, scratch=10, state_base=20, state_per_token=30)
        return Variant(backend, "", "", Requirements([], {}), memory, None, None, [], {})

    room = ADDRESSES - WASM_RESERVED - 10 - 20 - 30 * 100
    assert beyond_addresses([variant("wasm", room), variant("webgpu", 2 * room)], 100) == []
    (note,) = beyond_addresses([variant("wasm", room + 1)], 100)
    assert note.startswith("takes 4,294,967,297 bytes at a context of 100 tokens")
