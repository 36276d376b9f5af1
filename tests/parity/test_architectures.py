"""Every architecture's logits and greedy tokens in the browser against transformers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from compiler.bundle.inspect import variant_facts
from compiler.bundle.read import Bundle
from compiler.checkpoint.open import open_checkpoint
from compiler.lower.targets import DEFAULT_LIMITS, TARGETS
from tests.parity.architectures import CONFIGS, save
from tests.parity.half import HALF_TOLERANCE, assert_greedy, skip_unless_offered
from tests.support.bundles import compile_bundle
from tests.support.gpu import assert_close
from tests.support.tiers import sampled
from web.reference import Reference
from web.verify import BrowserEngine

# Two layers of at most 128 products each, logits of size 5: the root mean square of errors is 2e-6
# (2.4e-6 where codes are scaled after their products), the worst of 4,000 is 2e-5; twice that.
TOLERANCE = 4e-5
QUANTIZATION = {"qwen2": "q8", "mistral": "f16", "phi": "q8", "olmo2": "f32"}  # others: q4
# Steps of one decoder layer. OLMo 2 norms all heads together, between projection and rotation.
DISPATCHES = {"olmo2": 10}  # others: 5
VARIANTS = {name: needed for one in TARGETS for name, needed in one.variants.items()}
PROMPT = 150  # tokens: more than the largest prefill chunk
STEPS = 16


@dataclass(frozen=True)
class Compiled:
    """An architecture's bundle, and what is expected of it."""

    name: str
    bundle: Bundle
    reference: Reference


SAMPLE = ("llama",)


@pytest.fixture(scope="module", params=sampled(CONFIGS, SAMPLE))
def compiled(
    request: pytest.FixtureRequest, models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Compiled:
    """Each architecture in turn, once for all variants."""
    name: str = request.param
    source = save(name, tmp_path_factory.mktemp("checkpoints") / name)
    bundle = compile_bundle(source, models / name, quantization=QUANTIZATION.get(name, "q4"))
    dispatches = variant_facts(bundle, "f32").dispatches_per_layer
    assert dispatches == dict.fromkeys(("decode", "prefill", "verify"), DISPATCHES.get(name, 5))
    with open_checkpoint(str(source)) as checkpoint:
        return Compiled(name, bundle, Reference(checkpoint, bundle))


@pytest.mark.parametrize("variant", VARIANTS)
def test_matches_pytorch(compiled: Compiled, variant: str, engine: BrowserEngine) -> None:
    reference, what = compiled.reference, f"{compiled.name} on {variant}"
    skip_unless_offered(engine, variant)
    assert engine.load(compiled.name, variant)["variant"] == variant
    ids = np.random.default_rng(7).integers(0, 256, PROMPT).tolist()
    expected = reference.generate(ids, STEPS)
    forced = [*ids, *expected]
    logits = engine.logits(forced, PROMPT - 1)
    half = "shader-f16" in VARIANTS[variant]
    tolerance = HALF_TOLERANCE if half else TOLERANCE
    wanted = reference.logits(forced, PROMPT - 1)
    assert_close(logits, wanted, tolerance, f"{what}: logits")
    generated = engine.generate(ids, STEPS)
    if half:
        assert_greedy(generated, expected, wanted)
    else:
        assert generated == expected


def test_guesses_change_nothing(compiled: Compiled, engine: BrowserEngine) -> None:
    """Random tokens of few kinds: nearly every step has something to guess, mostly wrong."""
    engine.load(compiled.name, "f32")
    ids = np.random.default_rng(8).integers(0, 8, PROMPT).tolist()
    assert engine.generate(ids, STEPS, "on") == compiled.reference.generate(ids, STEPS)


def test_needs_no_more_than_every_device_has(compiled: Compiled) -> None:
    facts = variant_facts(compiled.bundle, "f32")
    assert compiled.bundle.manifest.notes == []
    assert facts.max_storage_buffers_per_stage <= DEFAULT_LIMITS["maxStorageBuffersPerShaderStage"]
    assert facts.max_workgroup_bytes <= DEFAULT_LIMITS["maxComputeWorkgroupStorageSize"]
    assert facts.max_invocations <= DEFAULT_LIMITS["maxComputeInvocationsPerWorkgroup"]
    assert facts.max_binding_bytes <= DEFAULT_LIMITS["maxStorageBufferBindingSize"]
    assert facts.max_buffer_bytes <= DEFAULT_LIMITS["maxBufferSize"]
