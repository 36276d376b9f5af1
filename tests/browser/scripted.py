"""A model that says what a test tells it to."""

from __future__ import annotations

import json
from pathlib import Path

from tests.browser.chat_page import ChatPage

ENGINE = Path(__file__).with_name("scripted_engine.js")


def say(chat: ChatPage, *answers: str, per_second: float | None = None) -> None:
    """From now on the page gets these answers, in turn; `per_second` tokens, or all at once."""
    script = json.dumps({"answers": answers, "perSecond": per_second})
    chat.context.add_init_script(f"window.script = {script};")
    chat.context.route(
        "**/engine.js",
        lambda route: route.fulfill(
            path=ENGINE,
            headers={
                "Content-Type": "text/javascript",
                "Cross-Origin-Resource-Policy": "same-origin",
            },
        ),
    )
