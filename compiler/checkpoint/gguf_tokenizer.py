"""tokenizer.json rebuilt from the metadata of a GGUF file.

Byte-level BPE is assembled here, because transformers' own rebuilding loses pre-tokenizers such as
the one that takes digits one by one. Everything else goes through transformers' builders.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.processors import TemplateProcessing
from transformers.integrations.gguf.gguf_tokenizer_mapping import (
    GGUF_PRE_TOKENIZER_SPLITS,
    GGUF_TOKENIZER_MAPPING,
    convert_gguf_tokenizer,
)

from compiler.checkpoint.base import TokenizerFiles
from compiler.checkpoint.gguf_file import GgufFile
from compiler.checkpoint.tokenizer_files import stop_tokens
from compiler.errors import CheckpointError, UnsupportedModelError

_CONTROL, _USER_DEFINED = 3, 4  # gguf.TokenType

# tokenizer.ggml.pre -> pre-tokenizer, for the ones transformers has no expression for.
_GPT2 = {"gpt-2", "phi-2", "mpt", "olmo", "jais", "gigachat", "mellum", "trillion", "a.x-4.0"}
_DIGITS = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}
_QWEN2 = {"stablelm2"}
# What llama.cpp does for files that name no pre-tokenizer: three expressions after one another.
_DEFAULT = (
    r"[\p{P}\$\+<=>\^~\|]+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
    r"\p{N}+",
    r"[0-9][0-9][0-9]",
)
_LLAMA3 = GGUF_PRE_TOKENIZER_SPLITS["llama-bpe"]

_SPECIAL = {
    "bos_token": "bos_token_id",
    "eos_token": "eos_token_id",
    "unk_token": "unknown_token_id",
    "pad_token": "padding_token_id",
}
_ENDS = ("eos_token_id", "eot_token_id", "eom_token_id")


def build_tokenizer(file: GgufFile) -> TokenizerFiles:
    """The tokenizer, chat template and stop tokens that a file's metadata describes.

    Raises CheckpointError when the metadata holds no vocabulary, UnsupportedModelError for a
    kind of tokenizer or pre-tokenizer that is not known.
    """
    prefix = "tokenizer.ggml."
    fields = {k.removeprefix(prefix): v for k, v in file.metadata.items() if k.startswith(prefix)}
    tokens: list[str] = fields.get("tokens", [])
    if not tokens:
        raise CheckpointError(f"{file.path} holds no vocabulary (tokenizer.ggml.tokens)")
    byte_level = fields.get("model") == "gpt2"
    tokenizer = _byte_level(file, fields) if byte_level else _by_transformers(file, fields)
    if tokenizer.get_vocab_size(with_added_tokens=True) > len(tokens):
        raise UnsupportedModelError(
            f"{file.path}: its tokenizer needs tokens that its vocabulary of {len(tokens)} lacks: "
            "compile its Hugging Face checkpoint instead"
        )
    special = {
        name: tokens[fields[key]]
        for name, key in _SPECIAL.items()
        if 0 <= fields.get(key, -1) < len(tokens)
    }
    _add_bos(tokenizer, special, fields)
    template = str(file.metadata.get("tokenizer.chat_template", ""))
    ends = [fields[key] for key in _ENDS if key in fields]
    return TokenizerFiles(
        tokenizer.to_str().encode(),
        _config(special, template, file),
        template,
        special,
        stop_tokens(tokenizer, special, ends),
    )


def _byte_level(file: GgufFile, fields: Mapping[str, Any]) -> Tokenizer:
    """Byte-level BPE: tokens and merges are spelled in GPT-2's alphabet of 256 printable bytes."""
    pre = str(fields.get("pre", "default"))
    split = GGUF_PRE_TOKENIZER_SPLITS.get(pre)
    vocabulary = {token: index for index, token in enumerate(fields["tokens"])}
    merges = [tuple(merge.split(" ", 1)) for merge in fields.get("merges", [])]
    # Llama 3's vocabulary holds whole words that its merges do not lead to.
    tokenizer = Tokenizer(BPE(vocabulary, merges, ignore_merges=split == _LLAMA3))
    if split == GGUF_PRE_TOKENIZER_SPLITS["qwen2"] or pre in _QWEN2:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = _pre_tokenizer(file, pre)
    tokenizer.decoder = decoders.ByteLevel()
    _add_tokens(tokenizer, fields)
    return tokenizer


def _pre_tokenizer(file: GgufFile, pre: str) -> pre_tokenizers.PreTokenizer:
    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if pre in _GPT2:
        return gpt2
    if pre in _DIGITS:
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), gpt2])
    known = GGUF_PRE_TOKENIZER_SPLITS.get("qwen2" if pre in _QWEN2 else pre)
    expressions = _DEFAULT if pre == "default" else [known] if known else []
    if not expressions:
        raise UnsupportedModelError(
            f"{file.path} names the pre-tokenizer {pre!r}, which is not known here and without "
            "which text would be cut wrongly: compile its Hugging Face checkpoint instead"
        )
    splits = [pre_tokenizers.Split(Regex(each), behavior="isolated") for each in expressions]
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([*splits, last])


def _add_tokens(tokenizer: Tokenizer, fields: Mapping[str, Any]) -> None:
    """Control and user-defined tokens are found whole in the text, before it is cut."""
    kinds = fields.get("token_type", [])
    added = [
        AddedToken(token, normalized=False, special=kind == _CONTROL)
        for token, kind in zip(fields["tokens"], kinds, strict=False)
        if kind in (_CONTROL, _USER_DEFINED)
    ]
    tokenizer.add_tokens(added)


def _by_transformers(file: GgufFile, fields: Mapping[str, Any]) -> Tokenizer:
    """SentencePiece-like and Unigram vocabularies, through transformers' converters."""
    names = GGUF_TOKENIZER_MAPPING["tokenizer"]
    renamed = {
        name: fields[key.removeprefix("ggml.")]
        for key, name in names.items()
        if key.removeprefix("ggml.") in fields
    }
    try:
        arch = str(file.metadata["general.architecture"])
        tokenizer: Tokenizer = convert_gguf_tokenizer(arch, renamed)[0]
    except (ValueError, KeyError, TypeError) as error:
        raise UnsupportedModelError(
            f"{file.path} holds a tokenizer of the kind {fields.get('model')!r} that cannot be "
            f"rebuilt ({error}): compile its Hugging Face checkpoint instead"
        ) from error
    return tokenizer


def _add_bos(tokenizer: Tokenizer, special: Mapping[str, str], fields: Mapping[str, Any]) -> None:
    """Start every text with bos_token if the file says so, or says nothing where llama.cpp does."""
    llama3 = GGUF_PRE_TOKENIZER_SPLITS.get(str(fields.get("pre"))) == _LLAMA3
    default = fields.get("model") == "llama" or llama3
    bos = special.get("bos_token")
    if bos is None or not fields.get("add_bos_token", default):
        tokenizer.post_processor = TemplateProcessing(single="$A", pair="$A $B", special_tokens=[])
        return
    tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A",
        pair=f"{bos} $A {bos} $B",
        special_tokens=[(bos, tokenizer.token_to_id(bos))],
    )


def _config(special: Mapping[str, str], template: str, file: GgufFile) -> dict[str, Any]:
    """tokenizer_config.json. Any other class would replace tokenizer.json's parts by its own."""
    arch = file.metadata.get("general.architecture")
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        **special,
    }
    if context := file.metadata.get(f"{arch}.context_length"):
        config["model_max_length"] = context
    if template:
        config["chat_template"] = template
    return config
