"""The whole journey."""

from __future__ import annotations

from tests.walk import chat, conversations, download, first_visit, last_rung, library, offline, ways
from tests.walk.journey import Step

STEPS: list[Step] = [
    *first_visit.STEPS,
    *library.STEPS,
    *chat.STEPS,
    *download.STEPS,
    library.asks_the_browser_to_keep_them,
    chat.stops_an_answer,
    chat.has_it_answered_again,
    *ways.STEPS,
    chat.reloads_in_mid_answer,
    *conversations.STEPS,
    *offline.STEPS,
    *last_rung.STEPS,
    library.deletes_a_model,
]
