"""Prints what tests/unit/static/engine/tokenizer.test.ts compares with, as one JSON object.

SmolLM2's tokenizer files as the compiler writes them, and chat templates as transformers renders
them. Exits with 3 where the model's package is not installed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from compiler.checkpoint.gguf_file import read_gguf
from compiler.checkpoint.gguf_tokenizer import build_tokenizer
from tests.support.smollm2 import smollm2_gguf

NOT_INSTALLED = 3
USER = {"role": "user", "content": "Why is the sky blue?\n"}
SYSTEM = {"role": "system", "content": 'Answer in <b>French</b>, don\'t say "no".'}
ASSISTANT = {"role": "assistant", "content": " Parce que... 🌍 "}
CONVERSATIONS = [[USER], [SYSTEM, USER], [SYSTEM, USER, ASSISTANT, USER, ASSISTANT, USER]]

# What templates in the wild do, beyond SmolLM2's own: special tokens by name, tests of variables
# that transformers passes as None, filters, loop variables, white space control, macros.
TEMPLATES = [
    "{{ bos_token }}{% for m in messages %}[{{ m.role | upper }}] {{ m['content'] | trim }}"
    "{{ eos_token }}\n{% endfor %}{% if add_generation_prompt %}[ASSISTANT]{% endif %}",
    "{%- if tools is not none %}tools!{% endif %}{%- if documents %}documents!{%- endif -%}\n"
    "{%- for message in messages -%}\n"
    "    {{- loop.index0 ~ '/' ~ loop.length }} {{ message | tojson }}\n"
    "    {%- if not loop.last %}, {% endif %}\n"
    "{%- endfor %}\n",
    "{%- set ns = namespace(first=true) -%}{%- for m in messages if m.role != 'system' %}"
    "{% if ns.first %}{% set ns.first = false %}first: {% endif %}{{ m.content.strip() }};"
    "{% endfor %}{{ messages[0]['content'][:6] }}{{ messages[1:] | length }}",
    "{% macro turn(m) %}<{{ m.role }}>{{ m.content | replace('e', 'E') }}</{{ m.role }}>"
    "{% endmacro %}{% for m in messages %}{{ turn(m) }}{% endfor %}",
]


def fixture() -> dict[str, Any]:
    files = build_tokenizer(read_gguf(smollm2_gguf()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        path.write_bytes(files.model_json)
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(path), **files.special_tokens)
    templates = [files.chat_template, *TEMPLATES]
    return {
        "tokenizer": json.loads(files.model_json),
        "config": files.config,
        "special": files.special_tokens,
        "rendered": [
            {
                "template": template,
                "messages": messages,
                "text": tokenizer.apply_chat_template(
                    messages, chat_template=template, tokenize=False, add_generation_prompt=True
                ),
            }
            for template in templates
            for messages in CONVERSATIONS
        ],
    }


if __name__ == "__main__":
    try:
        json.dump(fixture(), sys.stdout)
    except pytest.skip.Exception as reason:
        print(reason, file=sys.stderr)
        sys.exit(NOT_INSTALLED)
