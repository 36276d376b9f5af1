"""The tokenizer of a Hugging Face directory, and the tokens that end an answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoTokenizer

from compiler.checkpoint.base import TokenizerFiles, one_line
from compiler.errors import CheckpointError

SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token")

# How the chat formats in use end a turn, for the models whose configuration names only the token
# that ends a document. Counted only where the tokenizer holds it as an added token.
END_OF_TURN = frozenset(
    (
        "<|im_end|>",
        "<|eot_id|>",
        "<|eom_id|>",
        "<|eot|>",
        "<end_of_turn>",
        "<turn|>",
        "<|end|>",
        "<|return|>",
        "<|endoftext|>",
        "<|end_of_text|>",
        "<|END_OF_TURN_TOKEN|>",
    )
)


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object, {} for a missing file. Raises CheckpointError when it cannot be read."""
    value = _parsed(file) if file.exists() else {}
    if not isinstance(value, dict):
        raise CheckpointError(f"{file} holds a {type(value).__name__}, expected an object")
    return value


def read_list(file: Path) -> list[dict[str, Any]]:
    """A JSON list of objects. Raises CheckpointError when it cannot be read."""
    value = _parsed(file)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise CheckpointError(f"{file} holds no list of objects: get it again")
    return value


def _parsed(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} is not readable JSON ({error}): get it again") from error


def read_tokenizer(directory: Path) -> TokenizerFiles:
    """The tokenizer of a directory as `save_pretrained` writes it, or an older slow one."""
    config = read_json(directory / "tokenizer_config.json")
    model_json = _model_json(directory)
    tokenizer = parse_tokenizer(model_json, directory / "tokenizer.json")
    special = _special_tokens(config, read_json(directory / "special_tokens_map.json"))
    ends = [
        *_ids(read_json(directory / "generation_config.json").get("eos_token_id")),
        *_ids(read_json(directory / "config.json").get("eos_token_id")),
    ]
    return TokenizerFiles(
        model_json,
        config,
        _chat_template(directory, config),
        special,
        stop_tokens(tokenizer, special, ends),
    )


def parse_tokenizer(model_json: bytes, source: Path) -> Tokenizer:
    """Raises CheckpointError naming `source` when the tokenizers library refuses it."""
    try:
        return Tokenizer.from_buffer(model_json)
    except Exception as error:  # the library raises plain Exception
        raise CheckpointError(
            f"{source} is no tokenizer ({one_line(error)}): get it again"
        ) from error


def stop_tokens(
    tokenizer: Tokenizer, special_tokens: Mapping[str, str], ids: Iterable[int]
) -> list[int]:
    """Ids that end an answer: those given, the tokenizer's eos_token and the known turn ends."""
    found = set(ids)
    eos = tokenizer.token_to_id(special_tokens.get("eos_token", ""))
    if eos is not None:
        found.add(eos)
    added = tokenizer.get_added_tokens_decoder()
    found.update(id_ for id_, token in added.items() if token.content in END_OF_TURN)
    return sorted(found)


def _model_json(directory: Path) -> bytes:
    file = directory / "tokenizer.json"
    if file.exists():
        return file.read_bytes()
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
        return str(tokenizer.backend_tokenizer.to_str()).encode()
    except Exception as error:  # whatever is missing or broken, the answer to it is the same
        raise CheckpointError(
            f"{directory} has no tokenizer.json and none can be made from its other files "
            f"({one_line(error)}): add one with "
            "AutoTokenizer.from_pretrained(...).save_pretrained(...)"
        ) from error


def _special_tokens(*configs: Mapping[str, Any]) -> dict[str, str]:
    """Texts of the special tokens; the first file that names one wins."""
    found: dict[str, str] = {}
    for config in configs:
        for key in SPECIAL_TOKENS:
            token = config.get(key)
            text = token.get("content") if isinstance(token, dict) else token
            if isinstance(text, str):
                found.setdefault(key, text)
    return found


def _chat_template(directory: Path, config: Mapping[str, Any]) -> str:
    file = directory / "chat_template.jinja"
    if file.exists():
        return file.read_text("utf-8")
    template = config.get("chat_template") or ""
    if isinstance(template, list):  # several, by name: [{"name": ..., "template": ...}]
        named = {str(entry["name"]): str(entry["template"]) for entry in template}
        return named.get("default", next(iter(named.values()), ""))
    return str(template)


def _ids(value: Any) -> list[int]:
    """An `eos_token_id` as configurations write it: nothing, one id, or a list."""
    if value is None:
        return []
    return [int(each) for each in value] if isinstance(value, list) else [int(value)]
