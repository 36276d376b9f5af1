"""append and attend against PyTorch: norms, rotary embedding, cache, causal softmax."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from compiler.bundle.schema import CONTROL_SLOTS, Control
from compiler.kernels import reference
from compiler.kernels.dsl import LOWEST
from compiler.kernels.specs import Append, Attend, CacheShape, Combine
from tests.support.exchange import Array
from tests.support.gpu import Gpu, assert_close
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


def test_append_writes_nothing_after_the_answer(machine: Gpu | Wasm) -> None:
    """Steps queued past its end run on states that have moved on."""
    spec = SPECS["plain"]
    shape = spec.cache
    cache = np.ones((shape.context, 2, shape.kv_heads, shape.depth), np.float32)
    zeros = np.zeros((spec.rows, 4, shape.depth), np.float32)
    done = control(1, 1, 8)
    done[Control.DONE] = 1
    buffers = {"q": zeros, "k": zeros, "v": zeros, "control": done, "kv": machine.stored(cache)}
    after = machine.run(machine.kernels.append(spec), {**buffers, "out": zeros.copy()})["kv"]
    assert (after == 1).all()


ATTEND = {
    "decode": Attend(1, 4, CacheShape(160, 2, 64), 0.125, 0, 0.0),
    "prefill": Attend(5, 4, CacheShape(160, 2, 64), 0.125, 0, 0.0),
    "window": Attend(5, 4, CacheShape(160, 1, 16), 0.25, 70, 0.0),
    "softcap": Attend(1, 2, CacheShape(160, 2, 20), 0.2, 0, 2.0),
    "deep": Attend(2, 2, CacheShape(160, 2, 256), 0.0625, 0, 0.0),
    "odd": Attend(2, 3, CacheShape(160, 1, 96), 0.1, 0, 0.0),
    "slopes": Attend(1, 4, CacheShape(160, 2, 64), 0.125, 0, 0.0, slopes=True),
    "sinks": Attend(1, 4, CacheShape(160, 2, 64), 0.125, 0, 0.0, sinks=True),
    "both": Attend(5, 6, CacheShape(160, 2, 16), 0.25, 70, 0.0, slopes=True, sinks=True),
}


@pytest.mark.parametrize("name", ATTEND)
@pytest.mark.parametrize("position", [0, 63, 150])
def test_attend(machine: Gpu | Wasm, name: str, position: int) -> None:
    spec = ATTEND[name]
    buffers = attend_buffers(machine, spec, position)
    got = machine.run(machine.kernels.attend(spec), buffers)["out"]
    assert_close(got, attended(spec, buffers, position), TOLERANCE, f"{name} at {position}")


TEXTS = {
    "all": Attend(40, 4, CacheShape(160, 2, 64), 0.125, 0, 0.0, causal=False),
    "near": Attend(40, 4, CacheShape(160, 1, 16), 0.25, 7, 0.0, causal=False),
    "odd": Attend(3, 3, CacheShape(160, 3, 96), 0.1, 2, 0.0, causal=False),
    "long": Attend(120, 2, CacheShape(160, 2, 32), 0.2, 50, 1.5, causal=False),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("missing", [0, 1, 30])
def test_whole_texts_see_all_of_themselves(machine: Gpu | Wasm, name: str, missing: int) -> None:
    """And nothing of what an earlier text left in the cache."""
    spec = TEXTS[name]
    count = max(1, spec.rows - missing)
    buffers = attend_buffers(machine, spec, 0, count)
    got = machine.run(machine.kernels.attend(spec), buffers)["out"][:count]
    real = {**buffers, "query": buffers["query"][:count]}
    assert_close(got, attended(spec, real, 0), TOLERANCE, f"{name}, {count} tokens")


def attend_buffers(
    machine: Gpu | Wasm, spec: Attend, position: int, count: int | None = None
) -> dict[str, Array]:
    """Random operands; `count` rows are real."""
    shape = spec.cache
    random = np.random.default_rng(5)
    query = random.standard_normal((spec.rows, spec.heads, shape.depth)).astype("f4")
    cache = random.standard_normal((shape.context, 2, shape.kv_heads, shape.depth)).astype("f4")
    buffers = {
        "query": query,
        "kv": machine.stored(cache),
        "control": control(position, spec.rows if count is None else count, shape.context),
        "out": np.full_like(query, 7),
    }
    for name in per_head(spec):
        buffers[name] = random.uniform(0.1, 1.5, spec.heads).astype("f4")
    return buffers


def per_head(spec: Attend) -> list[str]:
    return [name for name in ("slopes", "sinks") if getattr(spec, name)]


def attended(spec: Attend, buffers: dict[str, Array], position: int) -> Array:
    query, cache = (buffers[name].astype("f8") for name in ("query", "kv"))
    heads = {name: buffers[name].astype("f8") for name in per_head(spec)}
    return reference.attend(spec, query, cache, position, **heads)


DEPTHS = [64, 80, 96, 128, 256]
RATIOS = [1, 3, 8]
POSITIONS = [0, 1, 63, 64, 127, 128, 255, 299]


def split(depth: int, ratio: int, splits: int, window: int = 0, softcap: float = 0.0) -> Attend:
    cache = CacheShape(300, 2, depth)
    return Attend(1, 2 * ratio, cache, depth**-0.5, window, softcap, splits)


SPLIT = {
    **{f"depth {depth}": split(depth, 3, 4) for depth in DEPTHS},
    **{f"{ratio} heads a key": split(64, ratio, 3) for ratio in RATIOS},
    "more heads a key than a workgroup has": split(256, 12, 2),
    "window of a block": split(64, 2, 4, window=64),
    "window": split(64, 2, 4, window=100),
    "softcap": split(128, 2, 2, softcap=1.5),
    "more splits than blocks": split(64, 1, 16),
    "one split": split(64, 3, 1),
    "one split of a window": split(64, 8, 1, window=130),
}


@pytest.mark.parametrize("name", SPLIT)
def test_splits_together_are_attention(gpu: Gpu, name: str) -> None:
    spec = SPLIT[name]
    for position in POSITIONS:
        buffers = attend_buffers(gpu, spec, position)
        # What splits without a position leave alone must not be looked at.
        buffers["out"] = np.full((spec.splits, spec.heads, spec.cache.depth), np.nan, "f4")
        buffers["log_sums"] = np.full((spec.splits, spec.heads), np.nan, "f4")
        kernel = gpu.kernels.attend(spec)
        after = gpu.run(kernel, {key: buffers[key] for key in kernel.arguments})
        got = after["out"] if spec.splits == 1 else combined(after["out"], after["log_sums"])
        expected = attended(spec, buffers, position)
        assert_close(got, expected, TOLERANCE, f"{name} at {position}")


@pytest.mark.parametrize("used", [1, 2, 5])
def test_combine(gpu: Gpu, used: int) -> None:
    """Where no linear layer puts the splits together."""
    random = np.random.default_rng(8)
    partial = random.standard_normal((5, 6, 20)).astype("f4")
    log_sums = (random.standard_normal((5, 6)) * 30).astype("f4")
    partial[used:], log_sums[used:] = np.nan, LOWEST
    buffers = {"x": partial, "log_sums": log_sums, "out": np.zeros((1, 6, 20), np.float32)}
    assert gpu.kernels.fused is not None
    got = gpu.run(gpu.kernels.fused.combine(Combine(6, 5), 20), buffers)["out"]
    assert_close(got, combined(partial, log_sums), TOLERANCE, f"{used} splits")


def combined(partial: Array, log_sums: Array) -> Array:
    """The definition, in f64: softmax over splits weighs their results."""
    logs = log_sums.astype("f8")
    weights = np.exp(logs - logs.max(0))
    weights /= weights.sum(0)
    seen = np.where(weights[..., None] > 0, partial, 0)
    total: Array = (seen * weights[..., None]).sum(0, keepdims=True)
    return total


def prompt(
    rows: int, depth: int, ratio: int, window: int = 0, softcap: float = 0.0, kv_heads: int = 2
) -> Attend:
    cache = CacheShape(300, kv_heads, depth)
    return Attend(rows, kv_heads * ratio, cache, depth**-0.5, window, softcap)


PROMPTS = {
    **{f"depth {depth}": prompt(11, depth, 3) for depth in DEPTHS},
    **{f"{ratio} heads a key": prompt(33, 64, ratio) for ratio in RATIOS},
    "large tiles": prompt(128, 64, 8),
    "large tiles of deep heads": prompt(64, 256, 32, kv_heads=1),
    "window of a block": prompt(40, 64, 2, window=32),
    "window": prompt(40, 64, 3, window=45),
    "softcap": prompt(40, 20, 2, softcap=1.5),
}


@pytest.mark.parametrize("name", PROMPTS)
def test_prompts(gpu: Gpu, name: str) -> None:
    """At the start, in the midst of a block, at a block's border, at the end of the context."""
    spec = PROMPTS[name]
    for position in (0, 37, 96, 300 - spec.rows):
        buffers = attend_buffers(gpu, spec, position)
        got = gpu.run(gpu.kernels.attend(spec), buffers)["out"]
        expected = attended(spec, buffers, position)
        assert_close(got, expected, TOLERANCE, f"{name} at {position}")


@pytest.mark.parametrize("count", [1, 16, 39])
def test_padding_of_a_prompt_is_zero(gpu: Gpu, count: int) -> None:
    spec = PROMPTS["window"]
    buffers = attend_buffers(gpu, spec, 60, count)
    buffers["kv"][60 + count :] = np.nan  # not written yet
    got = gpu.run(gpu.kernels.attend(spec), buffers)["out"]
    buffers["kv"][60 + count :] = 0
    expected = attended(spec, buffers, 60)
    assert_close(got[:count], expected[:count], TOLERANCE, "real rows")
    assert not got[count:].any()
