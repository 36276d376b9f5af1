"""all-MiniLM-L6-v2 in the browser against transformers, on 50 texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from compiler.bundle.read import Bundle
from compiler.lower import targets
from tests.support.bundles import compile_bundle
from tests.support.minilm import minilm
from tests.support.sentences import SENTENCES
from tests.support.tiers import sampled
from web.similarity import cosine
from web.verify import BrowserEngine

LEAST = 0.9999  # cosine; f32 came to 0.9999999
LIMIT = 256
NAME = "minilm"
VARIANTS = ("f32", "wasm-threads-relaxed")


@pytest.fixture(scope="module", autouse=True)
def bundle(models: Path) -> Bundle:
    both = (targets.WEBGPU, targets.WASM)
    return compile_bundle(minilm(), models / NAME, quantization="f32", targets=both)


@pytest.fixture(scope="module")
def expected() -> tuple[npt.NDArray[np.float32], list[bool]]:
    """What the model's card says to do: mean of all tokens, normalised. Also: which were cut."""
    tokenizer = AutoTokenizer.from_pretrained(minilm())
    model = AutoModel.from_pretrained(minilm()).eval()
    vectors, cut = [], []
    for text in SENTENCES:
        whole = tokenizer(text, truncation=True, max_length=LIMIT + 1, return_tensors="pt")
        cut.append(whole.input_ids.shape[1] > LIMIT)
        encoded = tokenizer(text, truncation=True, max_length=LIMIT, return_tensors="pt")
        with torch.inference_mode():
            mean = model(**encoded).last_hidden_state[0].mean(0)
        vectors.append((mean / mean.norm()).numpy())
    return np.array(vectors), cut


def test_manifest_says_what_it_is(bundle: Bundle) -> None:
    embedding = bundle.manifest.embedding
    assert embedding is not None
    assert (embedding.dimensions, embedding.limit, embedding.pooling) == (384, LIMIT, ["mean"])
    assert (embedding.before, embedding.after) == ([101], [102])
    assert embedding.normalised
    assert not embedding.padded


@pytest.mark.parametrize("variant", sampled(VARIANTS, ["wasm-threads-relaxed"]))
def test_fifty_texts(
    variant: str, engine: BrowserEngine, expected: tuple[npt.NDArray[np.float32], list[bool]]
) -> None:
    vectors, cut = expected
    assert engine.load(NAME, variant)["embedding"]["dimensions"] == 384
    found, truncated = engine.embed(SENTENCES)
    cosines = [cosine(a, b) for a, b in zip(found, vectors, strict=True)]
    worst = int(np.argmin(cosines))
    assert cosines[worst] > LEAST, f"{SENTENCES[worst][:40]!r}: {cosines[worst]}"
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(len(found)), abs=1e-5)
    assert truncated == cut
    assert 0 < sum(cut) < len(cut)


def test_refuses_to_generate(engine: BrowserEngine) -> None:
    info = engine.load(NAME, "wasm")
    assert info["embedding"]["limit"] == LIMIT
    refused = engine.page.evaluate(
        """() => engine.chat.completions.create({ messages: [{ role: "user", content: "Hi" }] })
             .catch(({ code, message }) => `${code}: ${message}`)"""
    )
    assert refused == "bad-request: model turns texts into vectors; it does not generate text"


def test_the_page_says_that_it_does_not_chat(engine: BrowserEngine) -> None:
    page = engine.page
    engine.load(NAME, "wasm")  # leaves the page on the server's address
    page.goto("/".join(page.url.split("/")[:3]) + "/")
    notice = page.locator("#notice")
    notice.wait_for()
    assert "This model does not chat" in notice.inner_text()
    assert page.locator("#load").is_disabled()
    assert page.locator("#model-name").inner_text() == "model"
