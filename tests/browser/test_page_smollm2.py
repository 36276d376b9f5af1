"""The real model on the page: a question whose answer is known."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_page import WATCH_ANSWERS, visit
from tests.support.tiers import sampled
from web.verify import serving


@pytest.mark.parametrize("backend", sampled(["webgpu", "wasm"], ["wasm"]))
def test_smollm2_answers(chromium: Browser, smollm2_bundle: Path, backend: str) -> None:
    with serving(smollm2_bundle.parent) as address, visit(chromium, address) as chat:
        chat.climb(backend=backend)
        expect(chat.get("model-name")).to_have_text("SmolLM2-135M-Instruct")
        expect(chat.get("model-size")).to_contain_text("MB, downloaded once")
        chat.get("load").click()
        expect(chat.get("input")).to_be_visible()
        chat.configure(temperature=0, max_tokens=16)
        chat.page.wait_for_load_state("networkidle")
        chat.context.set_offline(True)
        chat.page.evaluate(WATCH_ANSWERS)
        answer = chat.ask("What is the capital of France?")
        assert "Paris" in answer
        assert len(chat.page.evaluate("window.seen")) > 2  # not only the whole
        assert chat.turns[-1]["finish"] == "stop"  # the model's own end
        first = chat.stats
        chat.ask("And of Italy?")
        assert chat.stats["cachedTokens"] >= first["promptTokens"]
        chat.assert_clean()
