"""Every architecture's logits and greedy tokens in the browser against transformers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from compiler.build import build
from compiler.bundle.inspect import variant_facts
from compiler.bundle.read import Bundle
from compiler.checkpoint.open import open_checkpoint
from compiler.lower.targets import DEFAULT_LIMITS
from compiler.progress import SilentProgress
from tests.parity.architectures import CONFIGS, save
from tests.support.gpu import assert_close
from web.reference import Reference
from web.verify import BrowserEngine, browser_engine

# Two layers of at most 128 products each, logits of size 5: measured 2e-6; ten times that.
TOLERANCE = 2e-5
QUANTIZATION = {"qwen2": "q8", "mistral": "f16", "phi": "q8", "olmo2": "f32"}  # others: q4
# Steps of one decoder layer. OLMo 2 norms all heads together, between projection and rotation.
DISPATCHES = {"olmo2": 10}  # others: 5
PROMPT = 150  # tokens: more than the largest prefill chunk
STEPS = 16


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def engine(models: Path) -> Iterator[BrowserEngine]:
    with browser_engine(models) as running:
        yield running


@pytest.mark.parametrize("name", CONFIGS)
def test_matches_pytorch(name: str, models: Path, engine: BrowserEngine, tmp_path: Path) -> None:
    source = save(name, tmp_path / name)
    bundle = build(
        str(source),
        output=models / name,
        quantization=QUANTIZATION.get(name, "q4"),
        context=None,
        revision=None,
        progress=SilentProgress(),
    ).bundle
    opened = Bundle.open(bundle)
    assert_within_default_limits(opened)
    dispatches = variant_facts(opened, "f32").dispatches_per_layer
    assert dispatches == dict.fromkeys(("decode", "prefill"), DISPATCHES.get(name, 5))
    with open_checkpoint(str(source)) as checkpoint:
        reference = Reference(checkpoint, opened)
    engine.load(name, "f32")
    ids = np.random.default_rng(7).integers(0, 256, PROMPT).tolist()
    expected = reference.generate(ids, STEPS)
    forced = [*ids, *expected]
    logits = engine.logits(forced, PROMPT - 1)
    assert_close(logits, reference.logits(forced, PROMPT - 1), TOLERANCE, f"{name}: logits")
    assert engine.generate(ids, STEPS) == expected


def assert_within_default_limits(bundle: Bundle) -> None:
    facts = variant_facts(bundle, "f32")
    assert bundle.manifest.notes == []
    assert facts.max_storage_buffers_per_stage <= DEFAULT_LIMITS["maxStorageBuffersPerShaderStage"]
    assert facts.max_workgroup_bytes <= DEFAULT_LIMITS["maxComputeWorkgroupStorageSize"]
    assert facts.max_invocations <= DEFAULT_LIMITS["maxComputeInvocationsPerWorkgroup"]
    assert facts.max_binding_bytes <= DEFAULT_LIMITS["maxStorageBufferBindingSize"]
    assert facts.max_buffer_bytes <= DEFAULT_LIMITS["maxBufferSize"]
