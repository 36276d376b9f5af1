"""SmolLM2-135M-Instruct, with the GGUF file's own codes, in the browser against transformers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compiler.bundle.read import Bundle
from compiler.checkpoint.open import open_checkpoint
from compiler.lower.targets import TARGETS
from tests.parity.half import skip_unless_offered
from tests.support.gpu import assert_close
from tests.support.smollm2 import smollm2_gguf
from tests.support.tiers import sampled
from web.reference import Reference
from web.verify import TOLERANCE, BrowserEngine, browser_engine

STEPS = 64
LARGEST_CHUNK = 128
VARIANTS = {name: needed for one in TARGETS for name, needed in one.variants.items()}

QUESTION = (
    "<|im_start|>user\nName three things a kiln is used for.<|im_end|>\n<|im_start|>assistant\n"
)
CODE = "def quicksort(items: list[int]) -> list[int]:\n    "
LONG = (
    "The lighthouse had stood on the cliff for a hundred and forty years. In winter the sea threw "
    "stones at its windows, and in summer children climbed the hill to count the ships. The last "
    "keeper, a quiet woman called Ines, wrote all of them down: the name, the flag, the hour. "
    "Her books filled a shelf, then a wall, then a room, and nobody read them until the spring in "
    "which a trawler went missing and the harbour master remembered that somebody on the cliff had "
    "always been looking. He walked up in the rain, knocked, and asked her for the twelfth of "
    "March. She found the page in less than a minute, and put her finger on the line that said"
)
REPEAT = """async () => {
  const content = "Repeat this three times: the cat sat on the mat and looked at the moon.";
  const answer = await engine.chat.completions.create({
    messages: [{ role: "user", content }], max_tokens: 32, temperature: 0, speculation: "on",
  });
  return answer.usage;
}"""


@pytest.fixture(scope="module")
def reference(smollm2_bundle: Path) -> Reference:
    with open_checkpoint(str(smollm2_gguf())) as checkpoint:
        return Reference(checkpoint, Bundle.open(smollm2_bundle))


@pytest.fixture(scope="module")
def page(smollm2_bundle: Path) -> Iterator[BrowserEngine]:
    with browser_engine(smollm2_bundle.parent) as running:
        yield running


@pytest.fixture(scope="module", params=VARIANTS)
def engine(
    request: pytest.FixtureRequest, smollm2_bundle: Path, page: BrowserEngine
) -> BrowserEngine:
    """Every variant in turn."""
    skip_unless_offered(page, request.param)
    info = page.load(smollm2_bundle.name, request.param, 512)
    assert info["variant"] == request.param
    assert info["tuned"] == ("google" if info["backend"] == "webgpu" else None)
    return page


PROMPTS = {"question": QUESTION, "code": CODE, "long": LONG}


@pytest.mark.soak
@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=list(PROMPTS))
@pytest.mark.parametrize("engine", VARIANTS, indirect=True)
def test_greedy_tokens(prompt: str, reference: Reference, engine: BrowserEngine) -> None:
    ids = engine.tokenize(prompt)
    assert (len(ids) - 1 > LARGEST_CHUNK) == (prompt == LONG)
    assert engine.generate(ids, STEPS) == reference.generate(ids, STEPS)


@pytest.mark.soak
def test_guessed_tokens(reference: Reference, smollm2_bundle: Path, page: BrowserEngine) -> None:
    """Where a text repeats itself the guesses hold: steps take several tokens."""
    page.load(smollm2_bundle.name, "f32", 512)
    ids = page.tokenize("One two three four, one two three four, one two three four, one two")
    expected = reference.generate(ids, 24)
    assert page.generate(ids, 24, "on") == expected
    usage = page.page.evaluate(REPEAT)
    assert usage["guessed_tokens"] > 4
    assert usage["completion_tokens"] <= 32


def test_kernels_for_any_device(
    reference: Reference, smollm2_bundle: Path, page: BrowserEngine
) -> None:
    """SwiftShader has kernels of its own, which the tests above ran; graphics cards have these."""
    assert page.load(smollm2_bundle.name, "f32", 512, tuned=False)["tuned"] is None
    ids = page.tokenize(QUESTION)
    assert page.generate(ids, 16) == reference.generate(ids, 16)
    logits = page.logits(ids, len(ids) - 8)
    assert_close(logits, reference.logits(ids, len(ids) - 8), TOLERANCE, "logits")


LOGITS = sampled(VARIANTS, ["wasm-threads-relaxed"])


@pytest.mark.parametrize("engine", LOGITS, indirect=True)
def test_logits_under_forced_decoding(reference: Reference, engine: BrowserEngine) -> None:
    """At 56 positions of a text neither side chose; TOLERANCE says where it comes from."""
    ids = engine.tokenize(LONG)[:64]
    first = len(ids) - 56
    assert_close(engine.logits(ids, first), reference.logits(ids, first), TOLERANCE, "logits")
