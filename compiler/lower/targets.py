"""Variants, the limits their kernels keep to, and what a plan demands of a device."""

from __future__ import annotations

from math import prod

from compiler.bundle.schema import Buffer, Memory, Plan, Requirements

# Prompts are cut into chunks of these sizes; the tail is padded to the smaller one.
PREFILL_ROWS = (32, 128)

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


def size(buffer: Buffer, context: int) -> int:
    """Bytes of a buffer at a context of so many tokens."""
    return buffer.bytes + context * buffer.bytes_per_token


def requirements(plan: Plan, context: int) -> Requirements:
    """What a device must offer to run `plan` at `context`, in WebGPU's names."""
    steps = [step for function in plan.functions.values() for step in function.steps]
    sizes = [size(buffer, context) for buffer in plan.buffers]
    bindings = [
        binding.bytes or sizes[binding.buffer] - binding.offset
        for step in steps
        for binding in step.bindings
    ]
    limits = {
        "maxStorageBuffersPerShaderStage": max(len(k.access) for k in plan.kernels),
        "maxComputeWorkgroupStorageSize": max(k.workgroup_bytes for k in plan.kernels),
        "maxComputeInvocationsPerWorkgroup": max(prod(k.workgroup) for k in plan.kernels),
        "maxComputeWorkgroupSizeX": max(k.workgroup[0] for k in plan.kernels),
        "maxComputeWorkgroupsPerDimension": max(max(step.grid) for step in steps),
        "maxStorageBufferBindingSize": max(bindings),
        "maxBufferSize": max(sizes),
    }
    return Requirements(features=[], limits=limits)


def beyond_default(limits: dict[str, int]) -> list[str]:
    """For people: every limit a plan needs more of than all devices guarantee."""
    return [
        f"needs {name} of {needed:,}; devices guarantee only {DEFAULT_LIMITS[name]:,}"
        for name, needed in limits.items()
        if needed > DEFAULT_LIMITS[name]
    ]


def memory(plan: Plan) -> Memory:
    """Device memory by kind, in bytes."""

    def total(*kinds: str) -> int:
        return sum(buffer.bytes for buffer in plan.buffers if buffer.kind in kinds)

    return Memory(
        weights=total("weight"),
        scratch=total("scratch", "input", "output"),
        state_base=total("state"),
        state_per_token=sum(buffer.bytes_per_token for buffer in plan.buffers),
    )
