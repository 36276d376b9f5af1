"""SmolLM2's tokenizer and chat template in the browser, against llama.cpp and transformers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from compiler.checkpoint.gguf_file import read_gguf
from compiler.checkpoint.gguf_tokenizer import build_tokenizer
from tests.support.smollm2 import smollm2_gguf
from web.verify import BrowserEngine, browser_engine

IDS = Path(__file__).parents[1] / "data" / "smollm2_token_ids.json"
USER = {"role": "user", "content": "Why is the sky blue?"}
ASSISTANT = {"role": "assistant", "content": "Because of Rayleigh scattering.\n\nIt is **blue** 🌍"}
SYSTEM = {"role": "system", "content": "Answer in French, s'il vous plaît."}
CONVERSATIONS = {
    "user": [USER],
    "system": [SYSTEM, USER],
    "turns": [USER, ASSISTANT, USER],
    "system and turns": [SYSTEM, USER, ASSISTANT, USER, ASSISTANT, USER],
}


@pytest.fixture(scope="module")
def engine(smollm2_bundle: Path) -> Iterator[BrowserEngine]:
    with browser_engine(smollm2_bundle.parent) as running:
        running.load(smollm2_bundle.name, "wasm", 256)
        yield running


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerFast:
    """The same model's tokenizer as transformers has it."""
    files = build_tokenizer(read_gguf(smollm2_gguf()))
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_bytes(files.model_json)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_file=str(path), chat_template=files.chat_template, **files.special_tokens
    )


def test_ids_equal_those_of_llama_cpp(engine: BrowserEngine) -> None:
    cases: list[dict[str, Any]] = json.loads(IDS.read_bytes())["cases"]
    assert len(cases) == 1000
    tokenize = "(texts) => Promise.all(texts.map((text) => engine.tokenize(text)))"
    got = engine.page.evaluate(tokenize, [case["text"] for case in cases])
    wrong = [
        (case["text"], case["ids"], ids)
        for case, ids in zip(cases, got, strict=True)
        if ids != case["ids"]
    ]
    assert wrong == []


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_prompt_equals_that_of_transformers(
    name: str, engine: BrowserEngine, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Texts are compared in tests/unit/static/engine; here, what the engine makes of them."""
    messages = CONVERSATIONS[name]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    expected = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert engine.tokenize(str(text)) == expected
    count = engine.page.evaluate("(messages) => engine.countTokens(messages)", messages)
    assert count == len(expected)


def test_prompt_leads_to_the_same_answer(
    engine: BrowserEngine, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Greedy tokens from transformers' prompt are the ones the chat API answers with."""
    messages = CONVERSATIONS["system"]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = engine.generate(engine.tokenize(str(text)), 8)
    ask = """(messages) =>
      engine.chat.completions.create({ messages, temperature: 0, max_tokens: 8 })"""
    completion = engine.page.evaluate(ask, messages)
    assert completion["choices"][0]["message"]["content"] == tokenizer.decode(ids)
