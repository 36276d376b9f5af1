"""Conversations with a model whose states cannot be taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compiler.build import build
from compiler.bundle.write import MANIFEST
from compiler.progress import SilentProgress
from tests.coverage.configs import tiny
from tests.coverage.judge import TARGETS, TOLERANCE, VARIANTS
from tests.support.gpu import assert_close
from tests.unit.checkpoint.tiny import save_random
from web.verify import BrowserEngine, browser_engine, verify

NAME = "bamba"
PROMPT = "hello there"
CHAT = """async (content) => {
  const messages = [{ role: "user", content }];
  const answer = await engine.chat.completions.create({ messages, temperature: 0 });
  return answer.choices[0].finish_reason;
}"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random(tiny(NAME), tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def models(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    options = {"quantization": "f32", "context": None, "revision": None}
    build(str(source), output=folder / NAME, progress=SilentProgress(), targets=TARGETS, **options)
    set_manifest(folder, chat_template="{% for m in messages %}{{ m.content }}{% endfor %}")
    return folder


def set_manifest(models: Path, **settings: Any) -> None:
    file = models / NAME / MANIFEST
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


def answer(models: Path, engine: BrowserEngine, variant: str) -> tuple[list[int], list[int]]:
    """The prompt's tokens, and those of an answer up to one that is its first of the kind, which
    becomes the stop token."""
    set_manifest(models, stop_tokens=[])
    engine.load(NAME, variant)
    ids = engine.tokenize(PROMPT)
    tokens = engine.generate(ids, 40)
    last = next(i for i in range(3, 40) if tokens[i] not in tokens[:i])
    set_manifest(models, stop_tokens=[tokens[last]])
    return ids, tokens[: last + 1]


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_goes_on_after_a_stop_token(models: Path, variant: str) -> None:
    """On WebGPU, steps are queued past the answer's end."""
    with browser_engine(models) as engine:
        ids, tokens = answer(models, engine, variant)
        following = [*ids, *tokens, 65, 66, 67]
        engine.load(NAME, variant)
        expected = engine.logits(following, len(ids) + len(tokens))
        engine.load(NAME, variant)
        assert engine.page.evaluate(CHAT, PROMPT) == "stop"
        got = engine.logits(following, len(ids) + len(tokens))
    assert_close(got, expected, TOLERANCE, f"{variant}: logits after an answer")


def test_it_is_verified_by_what_pytorch_reads_at_once(models: Path, source: Path) -> None:
    """Decoding with a cache is another arithmetic in transformers."""
    compared = list(verify(models / NAME, str(source), prompts=[PROMPT], count=6))
    assert {name for name, _ in compared} == set(VARIANTS)
    for name, comparison in compared:
        assert comparison.passed, f"{name}: {comparison.describe()}"
