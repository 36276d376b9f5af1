"""Chat templates in MLC's terms: written out as MLC does, they give what the template gives."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from compiler.mlc.chat import conversation

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
DEFAULT = (
    "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}"
    "{% endif %}" + CHATML
)
NO_SYSTEM = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}"
    "{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}"
    "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
)
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}


def written(chat: dict[str, Any], turns: list[dict[str, str]]) -> str:
    """A conversation and the start of an answer, as MLC's documentation puts them together."""
    message = chat["system_message"]
    if turns[0]["role"] == "system":
        message, turns = turns[0]["content"], turns[1:]
    text = str(chat["system_template"]).replace("{system_message}", message)
    for index, turn in enumerate(turns):
        text += chat["roles"][turn["role"]] + chat["role_content_sep"] + turn["content"]
        text += chat["seps"][index % len(chat["seps"])]
    return text + str(chat["roles"]["assistant"]) + str(chat["role_empty_sep"])


def rendered(template: str, turns: list[dict[str, str]]) -> str:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    made = environment.from_string(template)
    return made.render(messages=turns, add_generation_prompt=True, **SPECIAL)


TURNS = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "And?"},
]


@pytest.mark.parametrize("template", [DEFAULT, NO_SYSTEM])
def test_turns_are_those_of_the_template(template: str) -> None:
    chat = conversation(template, SPECIAL, [2])
    assert written(chat, TURNS) == rendered(template, TURNS)
    assert written(chat, TURNS[:1]) == rendered(template, TURNS[:1])
    assert chat["stop_token_ids"] == [2]


@pytest.mark.parametrize("template", [CHATML, DEFAULT])
def test_the_system_speaks_first(template: str) -> None:
    turns = [{"role": "system", "content": "Be brief."}, *TURNS]
    assert written(conversation(template, SPECIAL, []), turns) == rendered(template, turns)


@pytest.mark.parametrize("template", ["", "{{ messages }}", "{% if", "{{ messages[9].content.x }}"])
def test_templates_that_have_no_turns(template: str) -> None:
    chat = conversation(template, SPECIAL, [])
    assert written(chat, TURNS[:1]) == "Hi"
