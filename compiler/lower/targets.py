"""Backends and variants, the limits their kernels keep to, and what a plan asks of a device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from compiler.bundle.schema import WASM_RESERVED, Buffer, Memory, Plan, Requirements, Variant
from compiler.kernels import sets
from compiler.kernels.gpu import tilings
from compiler.kernels.sets import KernelSet
from compiler.lower.generic import Backend
from compiler.lower.plan import PackedTensor


@dataclass(frozen=True)
class Target:
    """A backend, and the variants that share its plan."""

    name: str  # of the plan
    backend: Backend
    kernels: KernelSet  # for any device
    prefill_rows: int  # prompts are cut into chunks of so many tokens; the last may be shorter
    variants: Mapping[str, list[str]]  # name to the features it requires; best first
    # Tokens a verify step runs on: the one to continue and guesses. One token at a time leaves a
    # GPU waiting for weights, so that a few more cost it little; a CPU has no arithmetic to spare.
    verify_rows: int | None = None
    texts: tuple[int, ...] = ()  # of an embedder: tokens of its functions, which are its only ones

    @property
    def vendors(self) -> list[str]:
        """Of adapters that kernels were tuned for."""
        return list(tilings.measured()) if self.backend == "webgpu" else []

    def tuned(self, vendor: str) -> Target:
        """The same for adapters of `vendor`."""
        kernels = sets.webgpu(self.kernels.language, vendor)
        return replace(self, name=f"{self.name}-{vendor}", kernels=kernels)

    def one_by_one(self) -> Target:
        """The same for models whose state is traced at one token."""
        return replace(self, prefill_rows=1, verify_rows=None)

    @property
    def functions(self) -> dict[str, int]:
        """Rows of each function of the plan."""
        if self.texts:
            return {f"embed_{rows}": rows for rows in self.texts}
        rows = {"decode": 1, f"prefill_{self.prefill_rows}": self.prefill_rows}
        return rows | ({f"verify_{self.verify_rows}": self.verify_rows} if self.verify_rows else {})


CHUNK, GUESSED = 128, 4  # tokens of a prompt, and of a guess, at a time
WEBGPU_HALF_SUBGROUPS = Target(
    "f16-subgroups",
    "webgpu",
    sets.WEBGPU_HALF_SUBGROUPS,
    CHUNK,
    {"f16-subgroups": ["shader-f16", "subgroups"]},
    GUESSED,
)
WEBGPU_HALF = Target("f16", "webgpu", sets.WEBGPU_HALF, CHUNK, {"f16": ["shader-f16"]}, GUESSED)
WEBGPU_SUBGROUPS = Target(
    "f32-subgroups",
    "webgpu",
    sets.WEBGPU_SUBGROUPS,
    CHUNK,
    {"f32-subgroups": ["subgroups"]},
    GUESSED,
)
WEBGPU = Target("f32", "webgpu", sets.WEBGPU, CHUNK, {"f32": []}, GUESSED)
# A larger chunk would not be much faster, but it is what an abort has to wait for.
WASM = Target(
    "wasm",
    "wasm",
    sets.WASM,
    32,
    {
        "wasm-threads-relaxed": ["simd128", "relaxed-simd", "threads"],
        "wasm-threads": ["simd128", "threads"],
        "wasm-relaxed": ["simd128", "relaxed-simd"],
        "wasm": ["simd128"],
    },
)
# Best first: the ladder.
TARGETS = (WEBGPU_HALF_SUBGROUPS, WEBGPU_HALF, WEBGPU_SUBGROUPS, WEBGPU, WASM)

# WebGPU's guaranteed limits (W3C WebGPU, section 3.6.2); phones often offer no more.
DEFAULT_LIMITS = {
    "maxStorageBuffersPerShaderStage": 8,
    "maxComputeWorkgroupStorageSize": 16384,
    "maxComputeInvocationsPerWorkgroup": 256,
    "maxComputeWorkgroupSizeX": 256,
    "maxComputeWorkgroupsPerDimension": 65535,
    "maxStorageBufferBindingSize": 128 * 1024 * 1024,
    "maxBufferSize": 256 * 1024 * 1024,
}
ADDRESSES = 1 << 32  # bytes that a wasm32 module can tell apart


def size(buffer: Buffer, context: int) -> int:
    """Bytes of a buffer at a context of so many tokens."""
    return buffer.bytes + context * buffer.bytes_per_token


def requirements(
    target: Target, plans: Sequence[Plan], features: list[str], context: int
) -> Requirements:
    """What a device must offer to run a variant of `target` at `context`, by any of its plans."""
    if target.backend != "webgpu":
        return Requirements(features=features, limits={})
    each = [_webgpu_limits(plan, context) for plan in plans]
    limits = {name: max(limits[name] for limits in each) for name in each[0]}
    return Requirements(features=features, limits=limits)


def _webgpu_limits(plan: Plan, context: int) -> dict[str, int]:
    """In WebGPU's own names."""
    steps = [step for function in plan.functions.values() for step in function.steps]
    sizes = [size(buffer, context) for buffer in plan.buffers]
    bindings = [
        binding.bytes or sizes[binding.buffer] - binding.offset
        for step in steps
        for binding in step.bindings
    ]
    return {
        "maxStorageBuffersPerShaderStage": max(len(k.access) for k in plan.kernels),
        "maxComputeWorkgroupStorageSize": max(k.workgroup_bytes for k in plan.kernels),
        "maxComputeInvocationsPerWorkgroup": max(prod(k.workgroup) for k in plan.kernels),
        "maxComputeWorkgroupSizeX": max(k.workgroup[0] for k in plan.kernels),
        "maxComputeWorkgroupsPerDimension": max(max(step.grid) for step in steps),
        "maxStorageBufferBindingSize": max(bindings),
        "maxBufferSize": max(sizes),
    }


def beyond_default(
    limits: Mapping[str, int], tensors: Mapping[str, PackedTensor] | None = None
) -> list[str]:
    """For people: every limit a plan needs more of than all devices guarantee, and the weight that
    is the reason, if one is."""
    return [
        f"needs {name} of {needed:,}{_reason(needed, tensors or {})}; "
        f"devices guarantee only {DEFAULT_LIMITS[name]:,}"
        for name, needed in limits.items()
        if needed > DEFAULT_LIMITS[name]
    ]


def _reason(needed: int, tensors: Mapping[str, PackedTensor]) -> str:
    """The weight of so many bytes, whole or in a part, with more of them if there are."""
    sizes = {n: {t.bytes, *(p.bytes for p in t.parts.values())} for n, t in tensors.items()}
    found = [name for name, own in sizes.items() if needed in own]
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f" for {found[0]}{more}" if found else ""


def beyond_addresses(variants: Iterable[Variant], context: int) -> list[str]:
    """For people: that WebAssembly cannot hold the model, where it cannot."""
    sizes = [
        WASM_RESERVED
        + sum((one.memory.weights, one.memory.scratch, one.memory.state_base))
        + context * one.memory.state_per_token
        for one in variants
        if one.backend == "wasm"
    ]
    needed = max(sizes, default=0)
    if needed <= ADDRESSES:
        return []
    return [
        f"takes {needed:,} bytes at a context of {context:,} tokens, and WebAssembly ends at "
        f"{ADDRESSES:,}: choose a smaller context, or it runs on WebGPU alone"
    ]


def memory(plans: Sequence[Plan]) -> Memory:
    """Device memory by kind, in bytes, that any of a variant's plans takes at most."""
    plan = plans[0]  # only scratch differs

    def total(*kinds: str) -> int:
        return max(sum(b.bytes for b in one.buffers if b.kind in kinds) for one in plans)

    return Memory(
        weights=total("weight"),
        scratch=total("scratch", "input", "output"),
        state_base=total("state"),
        state_per_token=sum(buffer.bytes_per_token for buffer in plan.buffers),
    )
