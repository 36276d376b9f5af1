"""What a sentence-transformers folder says of a text's way to its vector.

A checkpoint is an embedder if its folder has a modules.json, or if transformers knows its model
type as a masked language model (a bidirectional encoder) and none of config.json's `architectures`
is a causal language model. All others generate text.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PretrainedConfig
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from compiler.checkpoint.base import Checkpoint, one_line
from compiler.checkpoint.directory import DirectoryCheckpoint
from compiler.checkpoint.settings import setting, shown
from compiler.checkpoint.tokenizer_files import read_json, read_list
from compiler.errors import CheckpointError, UnsupportedModelError

# Modes of compiler/trace/encoder.py by the names of Pooling's settings, in the order in which
# their results are put one after the other.
MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "pooling_mode_weightedmean_tokens": "weighted_mean",
    "pooling_mode_lasttoken": "last",
}
NO_LIMIT = 10**30  # tokens of a text, as transformers' tokenizers say it
SUPPORTED = ("Transformer", "Pooling", "Normalize")


@dataclass(frozen=True)
class SentenceFiles:
    """Settings of an embedder; the defaults are those of sentence-transformers."""

    modes: tuple[str, ...] = ("mean",)
    normalised: bool = False
    limit: int | None = None  # tokens of a text; None: the tokenizer's
    lowercase: bool = False
    prompts: dict[str, str] | None = None
    default_prompt: str = ""


@dataclass(frozen=True)
class Around:
    """What a tokenizer does with a whole text."""

    before: list[int]  # ids
    after: list[int]
    limit: int  # tokens; very large where it sets none


def sentence_files(checkpoint: Checkpoint) -> SentenceFiles | None:
    """The settings of an embedder; None for a model that generates text.

    Raises UnsupportedModelError for modules that no plan has.
    """
    if not isinstance(checkpoint, DirectoryCheckpoint):
        return None
    if (checkpoint.directory / "modules.json").exists():
        return _read(checkpoint.directory)
    return SentenceFiles() if _is_encoder(checkpoint.config) else None


def _is_encoder(config: PretrainedConfig) -> bool:
    causal = set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
    decodes = config.is_encoder_decoder or getattr(config, "is_decoder", False)
    named = set(config.architectures or [])
    return config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not (
        decodes or named & causal
    )


def _read(directory: Path) -> SentenceFiles:
    modules = read_list(directory / "modules.json")
    kinds = {str(module.get("type", "")).split(".")[-1]: module for module in modules}
    for kind in kinds:
        if kind not in SUPPORTED:
            raise UnsupportedModelError(
                f"{directory / 'modules.json'} asks for {kind} after the model; only "
                f"{', '.join(SUPPORTED[1:])} are supported"
            )
    if "Pooling" not in kinds:
        raise UnsupportedModelError(
            f"{directory / 'modules.json'} has no Pooling: tokens' vectors alone are no embedding"
        )
    file = directory / "sentence_bert_config.json"
    own = read_json(file)
    prompts, default = _prompts(directory / "config_sentence_transformers.json")
    return SentenceFiles(
        modes=_modes(directory / str(kinds["Pooling"].get("path", "")) / "config.json"),
        normalised="Normalize" in kinds,
        limit=setting(own, "max_seq_length", int, file, least=1),
        lowercase=bool(own.get("do_lower_case", False)),
        prompts=prompts,
        default_prompt=default,
    )


def _prompts(file: Path) -> tuple[dict[str, str], str]:
    """Prompts by name, and the name of the one that is used unless told otherwise, or ""."""
    general = read_json(file)
    given = setting(general, "prompts", dict, file) or {}
    prompts = {name: setting(given, name, str, file) or "" for name in given}
    default = setting(general, "default_prompt_name", str, file) or ""
    if default and default not in prompts:
        raise CheckpointError(
            f"{file} says default_prompt_name is {default!r}, which is none of its prompts "
            f"({', '.join(prompts) or 'there are none'}): correct it, or get the file again"
        )
    return prompts, default


def _modes(file: Path) -> tuple[str, ...]:
    settings = read_json(file)
    if not settings.get("include_prompt", True):
        raise UnsupportedModelError(f"{file} leaves prompts out of pooling: not supported")
    found = tuple(mode for key, mode in MODES.items() if settings.get(key))
    if named := settings.get("pooling_mode"):  # newer files name them
        found = _named(file, named)
    unknown = [k for k, on in settings.items() if k.startswith("pooling_mode_") and on]
    if not found or set(unknown) - MODES.keys():
        asked = ", ".join(unknown) or "nothing"
        raise UnsupportedModelError(f"{file} asks to pool with {asked}: not supported")
    return found


def _named(file: Path, named: Any) -> tuple[str, ...]:
    names = named if isinstance(named, list) else [named]
    known = {
        key.removeprefix("pooling_mode_").removesuffix("_tokens"): m for key, m in MODES.items()
    }
    known |= {"cls": "cls", "weightedmean": "weighted_mean", "lasttoken": "last"}
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise UnsupportedModelError(f"{file} asks to pool with {shown(name)}: not supported")
    return tuple(known[name] for name in names)


def around(checkpoint: Checkpoint) -> Around:
    """What the tokenizer of an embedder's folder puts around texts, and where it cuts them.

    Raises CheckpointError where transformers cannot make it, UnsupportedModelError where it cuts
    texts at their beginning.
    """
    assert isinstance(checkpoint, DirectoryCheckpoint)  # sentence_files says so
    folder = checkpoint.directory
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        bare = tokenizer("a", add_special_tokens=False).input_ids
        whole = tokenizer("a").input_ids
    except Exception as error:  # whatever is missing or broken, the answer to it is the same
        raise CheckpointError(f"{folder} has no tokenizer ({one_line(error)})") from error
    if tokenizer.truncation_side != "right":
        raise UnsupportedModelError(f"the tokenizer of {folder} cuts texts at their beginning")
    starts = [i for i in range(len(whole)) if whole[i : i + len(bare)] == bare]
    if not bare or not starts:
        raise UnsupportedModelError(
            f"the tokenizer of {folder} changes a text's tokens when it adds special ones"
        )
    first = starts[0]
    after = whole[first + len(bare) :]
    limit = {"model_max_length": tokenizer.model_max_length}  # 1e30 where it sets none
    known = setting(limit, "model_max_length", float, folder / "tokenizer_config.json", least=1)
    return Around(whole[:first], after, int(known or NO_LIMIT))
