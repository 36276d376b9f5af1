"""What a person can cause at llm-site."""

from __future__ import annotations


class SiteError(Exception):
    """Reported as one line; the message names the value and the next action."""

    exit_code = 1
