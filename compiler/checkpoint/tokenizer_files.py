"""The tokenizer of a Hugging Face directory, and the tokens that end an answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoTokenizer

from compiler.checkpoint.base import TokenizerFiles, one_line
from compiler.checkpoint.settings import setting, shown
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
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} is not readable JSON ({error}): get it again") from error


def read_tokenizer(directory: Path) -> TokenizerFiles:
    """The tokenizer of a directory as `save_pretrained` writes it, or an older slow one."""
    config = read_json(directory / "tokenizer_config.json")
    model_json = _model_json(directory)
    tokenizer = parse_tokenizer(model_json, directory / "tokenizer.json")
    special = _special_tokens(config, read_json(directory / "special_tokens_map.json"))
    sources = (directory / "generation_config.json", directory / "config.json")
    ends = [id_ for file in sources for id_ in token_ids(read_json(file), "eos_token_id", file)]
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
        tokenizer = AutoTokenizer.from_pretrained(
            directory, local_files_only=True, trust_remote_code=False
        )
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
        try:
            return file.read_text("utf-8")
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{file} is no readable text ({error}): get it again") from error
    file = directory / "tokenizer_config.json"
    template = config.get("chat_template")
    if not isinstance(template, list):
        return setting(config, "chat_template", str, file) or ""
    # Several, by name: [{"name": ..., "template": ...}].
    try:
        named = {str(entry["name"]): str(entry["template"]) for entry in template}
    except (TypeError, KeyError) as error:
        raise CheckpointError(
            f"{file} says chat_template is {shown(template)}, expected a text or a list of objects "
            "with a name and a template: get it again"
        ) from error
    return named.get("default", next(iter(named.values()), ""))


def token_ids(raw: Mapping[str, Any], key: str, file: Path) -> list[int]:
    """The ids under `key` of `file`, as configurations write them: nothing, one id, or a list; -1
    is no id. Raises CheckpointError for anything else."""
    value = raw.get(key)
    given = value if isinstance(value, list) else [value]
    ids = [setting({key: each}, key, int, file, least=-1) for each in given]
    return [id_ for id_ in ids if id_ is not None and id_ >= 0]
