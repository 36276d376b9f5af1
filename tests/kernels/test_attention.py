"""append and attend against PyTorch: norms, rotary embedding, cache, causal softmax."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from compiler.bundle.schema import CONTROL_SLOTS, Control
from compiler.kernels import reference
from compiler.kernels.specs import Append, Attend, CacheShape
from tests.support.gpu import Array, Gpu, assert_close
from tests.support.wasm import Wasm

TOLERANCE = 2e-6  # sums of at most 256 products, softmax weights below 1


def control(position: int, count: int, context: int) -> Array:
    slots = np.zeros(CONTROL_SLOTS, np.int32)
    slots[[Control.POSITION, Control.COUNT, Control.CONTEXT]] = position, count, context
    return slots


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """The definition, on (rows, heads, depth) with (rows, rotary) tables."""
    rotary = cos.shape[-1]
    turned, rest = x[..., :rotary], x[..., rotary:]
    lower, upper = turned.chunk(2, -1)
    crossed = torch.cat([-upper, lower], -1)
    out = turned * cos[:, None] + crossed * sin[:, None]
    return torch.cat([out, rest], -1)


SPECS = {
    "packed": Append(3, 4, CacheShape(16, 2, 16), True, 16, False, 0.0),
    "partial": Append(3, 4, CacheShape(16, 2, 16), True, 8, False, 0.0),
    "separate": Append(3, 4, CacheShape(16, 2, 16), False, 16, False, 0.0),
    "normed": Append(3, 4, CacheShape(16, 2, 20), True, 20, True, 1e-6),
    "plain": Append(3, 4, CacheShape(16, 4, 80), False, 0, False, 0.0),
    "decode": Append(1, 4, CacheShape(16, 2, 128), True, 128, True, 1e-6),
}


@pytest.mark.parametrize("name", SPECS)
def test_append(machine: Gpu | Wasm, name: str) -> None:
    spec = SPECS[name]
    shape, count = spec.cache, max(1, spec.rows - 1)
    random = np.random.default_rng(4)
    kinds = (spec.heads, shape.kv_heads, shape.kv_heads)
    q, k, v = (random.standard_normal((spec.rows, h, shape.depth)).astype("f4") for h in kinds)
    cos, sin = random.standard_normal((2, spec.rows, max(spec.rotary, 1))).astype("f4")
    weights = random.standard_normal((2, shape.depth)).astype("f4")
    cache = np.full((shape.context, 2, shape.kv_heads, shape.depth), 9, np.float32)
    buffers = {
        "qkv": np.concatenate([q, k, v], 1), "q": q, "k": k, "v": v, "cos": cos, "sin": sin,
        "query_norm": weights[0], "key_norm": weights[1], "control": control(5, count, 16),
        "kv": machine.stored(cache), "out": np.zeros_like(q),
    }  # fmt: skip
    kernel = machine.kernels.append(spec)
    after = machine.run(kernel, {key: buffers[key] for key in kernel.arguments})
    query, key = torch.from_numpy(q).double(), torch.from_numpy(k).double()
    if spec.normed:
        norm = torch.nn.functional.rms_norm
        query, key = (
            norm(x, [shape.depth], torch.from_numpy(w).double(), spec.epsilon)
            for x, w in ((query, weights[0]), (key, weights[1]))
        )
    if spec.rotary:
        tables = torch.from_numpy(cos).double(), torch.from_numpy(sin).double()
        query, key = rotate(query, *tables), rotate(key, *tables)
    assert_close(after["out"][:count], query.numpy()[:count], TOLERANCE, f"{name}: query")
    expected = cache.astype(np.float64)
    expected[5 : 5 + count, 0], expected[5 : 5 + count, 1] = key.numpy()[:count], v[:count]
    rounding = 2.0**-10 if machine.half else 0.0  # 11 bits, cut off or rounded
    assert_close(after["kv"], expected, TOLERANCE + rounding, f"{name}: cache")


def test_append_never_writes_past_the_context(machine: Gpu | Wasm) -> None:
    spec = replace(SPECS["plain"], rows=3)
    shape = spec.cache
    ones = np.ones((3, 4, shape.depth), np.float32)
    cache = np.zeros((shape.context, 2, shape.kv_heads, shape.depth), np.float32)
    buffers = {"q": ones, "k": ones, "v": ones, "control": control(7, 3, 8)}
    buffers["kv"] = machine.stored(cache)
    after = machine.run(machine.kernels.append(spec), {**buffers, "out": np.zeros_like(ones)})["kv"]
    assert after[7].all()
    assert not after[8:].any()


ATTEND = {
    "decode": Attend(1, 4, CacheShape(160, 2, 64), 0.125, 0, 0.0),
    "prefill": Attend(5, 4, CacheShape(160, 2, 64), 0.125, 0, 0.0),
    "window": Attend(5, 4, CacheShape(160, 1, 16), 0.25, 70, 0.0),
    "softcap": Attend(1, 2, CacheShape(160, 2, 20), 0.2, 0, 2.0),
    "deep": Attend(2, 2, CacheShape(160, 2, 256), 0.0625, 0, 0.0),
    "odd": Attend(2, 3, CacheShape(160, 1, 96), 0.1, 0, 0.0),
}


@pytest.mark.parametrize("name", ATTEND)
@pytest.mark.parametrize("position", [0, 63, 150])
def test_attend(machine: Gpu | Wasm, name: str, position: int) -> None:
    spec = ATTEND[name]
    shape = spec.cache
    random = np.random.default_rng(5)
    query = random.standard_normal((spec.rows, spec.heads, shape.depth)).astype("f4")
    cache = random.standard_normal((shape.context, 2, shape.kv_heads, shape.depth)).astype("f4")
    cache = machine.stored(cache)
    buffers = {
        "query": query,
        "kv": cache,
        "control": control(position, spec.rows, shape.context),
        "out": np.zeros_like(query),
    }
    got = machine.run(machine.kernels.attend(spec), buffers)["out"]
    expected = reference.attend(spec, query.astype("f8"), cache.astype("f8"), position)
    assert_close(got, expected, TOLERANCE, f"{name} at {position}")
