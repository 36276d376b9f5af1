"""What a chat template comes to in MLC's terms: text before and after what each role says.

Found by having the template write out short conversations of marks and looking at what is between
them. MLC writes: the system's text, then for each turn its role, the separator, what was said, and
the end of a turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

SYSTEM, USER, ANSWER, NEXT = "\ue000", "\ue001", "\ue002", "\ue003"  # of no template
MESSAGE = "{system_message}"


def conversation(template: str, special: Mapping[str, str], stops: Sequence[int]) -> dict[str, Any]:
    """MLC's `conv_template`. Text alone, without roles, for a template that is missing or cannot
    be put that way."""
    try:
        parts = _parts(template, special) if template else None
    except (jinja2.TemplateError, ValueError, TypeError):
        parts = None
    turns = parts or _Turns("", "", "", "", "", "", "")
    before, system = turns.before, turns.system
    start, _, end = system.partition(MESSAGE)
    inside = bool(system) and before.startswith(start) and before.endswith(end)
    return {
        "name": "webkiln",
        "system_template": system or before + MESSAGE,
        "system_message": before[len(start) : len(before) - len(end)] if inside else "",
        "system_prefix_token_ids": None,
        "add_role_after_system_message": True,
        "roles": {"user": turns.user, "assistant": turns.assistant, "tool": turns.user},
        "role_templates": {
            "user": "{user_message}",
            "assistant": "{assistant_message}",
            "tool": "{tool_message}",
        },
        "messages": [],
        "seps": [turns.between, turns.after],
        "role_content_sep": turns.separator,
        "role_empty_sep": "",
        "stop_str": [],
        "stop_token_ids": list(stops),
        "function_string": "",
        "use_function_calling": False,
    }


@dataclass(frozen=True)
class _Turns:
    """The pieces of text that a template puts around what is said."""

    before: str  # everything
    user: str  # before what a user says
    between: str  # after it
    assistant: str  # before an answer that is asked for
    separator: str  # before any message that is there, after its role
    after: str  # an answer
    system: str  # with MESSAGE for what it says; "" where there is no system


def _parts(template: str, special: Mapping[str, str]) -> _Turns:
    """Raises ValueError where turns are not alike."""
    render = _renderer(template, special)
    asked = [{"role": "user", "content": USER}]
    answered = [*asked, {"role": "assistant", "content": ANSWER}]
    between = _after(render(asked, False), USER)
    assistant = _after(render(asked, True), USER).removeprefix(between)
    after = _after(render(answered, False), ANSWER)
    again = render([*answered, {"role": "user", "content": NEXT}], False)
    user = _before(_after(again, ANSWER), NEXT).removeprefix(after)
    first = _before(again, USER)
    middle = _before(_after(again, USER), ANSWER)
    separator = middle.removeprefix(between + assistant)
    alike = middle == between + assistant + separator and user.endswith(separator)
    if not alike or not first.endswith(user):
        raise ValueError("turns are not alike")
    before, system = first.removesuffix(user), _system(render, user)
    role = user.removesuffix(separator)
    return _Turns(before, role, between, assistant, separator, after, system)


def _system(render: Any, user: str) -> str:
    turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]
    try:
        text = _before(render(turns, False), USER)
    except jinja2.TemplateError:
        return ""
    before = text.removesuffix(user)
    return before.replace(SYSTEM, MESSAGE) if SYSTEM in before else ""


def _renderer(template: str, special: Mapping[str, str]) -> Any:
    def refuse(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    compiled = environment.from_string(template)

    def render(messages: list[dict[str, str]], prompt: bool) -> str:
        return compiled.render(messages=messages, add_generation_prompt=prompt, **special)

    return render


def _before(text: str, mark: str) -> str:
    before, found, _ = text.partition(mark)
    if not found:
        raise ValueError("the template drops what was said")
    return before


def _after(text: str, mark: str) -> str:
    return text[len(_before(text, mark)) + len(mark) :]
