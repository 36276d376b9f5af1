"""What model a GGUF file holds: its transformers configuration and tensor names.

Both come from transformers' own tables for GGUF; this file adds what those leave out.
"""

from __future__ import annotations

from typing import Any

import gguf
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig
from transformers.integrations.ggml import GGUF_CONFIG_DEFAULTS_MAPPING, GGUF_CONFIG_MAPPING
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from compiler.checkpoint.config import check_config, guarded
from compiler.checkpoint.gguf_file import GgufFile
from compiler.errors import CheckpointError, UnsupportedModelError

_TABLES: dict[str, Any] = GGUF_CONFIG_MAPPING
# Architectures whose GGUF name differs from the key in transformers' tables, and the model_type
# of those whose file holds only the text part of a larger model.
_TABLE = {"qwen2moe": "qwen2_moe", "qwen3moe": "qwen3_moe", "gpt-oss": "gpt_oss"}
_MODEL_TYPE = {"gemma3": "gemma3_text"}
_IDS = {"bos": "bos", "eos": "eos", "padding": "pad"}

ROPE_FACTORS = "rope_freqs.weight"  # divisors of the rotary frequencies (Llama 3.1 and later)
# Llama 3's own settings; every model published with this kind of scaling keeps them.
_LLAMA3_ROPE = {
    "rope_type": "llama3",
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def architecture(file: GgufFile) -> str:
    """Raises CheckpointError when the file names none (an adapter or a vocabulary alone)."""
    name = file.metadata.get("general.architecture")
    if not isinstance(name, str):
        raise CheckpointError(f"{file.path} names no general.architecture: it holds no model")
    return name


def read_config(file: GgufFile) -> PretrainedConfig:
    """The transformers configuration that the metadata describes.

    Raises UnsupportedModelError for architectures and rotary scalings that cannot be translated.
    """
    arch = architecture(file)
    values = _config_values(file, arch)
    model_type = str(values.pop("model_type"))
    scaling = _rope_scaling(file, arch)
    what = f"{file.path} holds the architecture {arch!r}, which transformers cannot build"
    with guarded(what, "; compile its Hugging Face checkpoint instead"):
        config: PretrainedConfig = AutoConfig.for_model(model_type, **values)
    check_config(config, values, file.path)
    # transformers' table sends this elsewhere for some models (GPT-2), and tables have this length.
    config.max_position_embeddings = file.metadata.get(
        f"{arch}.context_length", config.max_position_embeddings
    )
    if scaling:
        config.rope_parameters = {**config.rope_parameters, **scaling}
    if ROPE_FACTORS in file.tensors:
        _apply_rope_factors(file, config)
    return config


def _config_values(file: GgufFile, arch: str) -> dict[str, Any]:
    """Keyword arguments of the configuration class, by transformers' table for `arch`."""
    table: dict[str, str | None] | None = _TABLES.get(_TABLE.get(arch, arch))
    if table is None:
        raise UnsupportedModelError(
            f"{file.path} holds the architecture {arch!r}, of which transformers cannot read GGUF "
            "files: compile its Hugging Face checkpoint instead"
        )
    values: dict[str, Any] = dict(GGUF_CONFIG_DEFAULTS_MAPPING.get(_TABLE.get(arch, arch), {}))
    values["model_type"] = _MODEL_TYPE.get(arch, _TABLE.get(arch, arch))
    values["tie_word_embeddings"] = "output.weight" not in file.tensors
    values["vocab_size"] = len(file.metadata.get("tokenizer.ggml.tokens", [])) or None
    for key, name in table.items():
        value = file.metadata.get(f"{arch}.{key}")
        if name is not None and value is not None:
            values[name] = value
    for theirs, ours in _IDS.items():
        token = file.metadata.get(f"tokenizer.ggml.{theirs}_token_id")
        if token is not None:
            values[f"{ours}_token_id"] = token
    return {key: value for key, value in values.items() if value is not None}


def _rope_scaling(file: GgufFile, arch: str) -> dict[str, Any]:
    """Rotary scaling that the metadata asks for, as `rope_parameters` name it."""
    prefix = f"{arch}.rope.scaling."
    kind = file.metadata.get(prefix + "type", "none")
    if kind == "none":
        return {}
    scaling = {"rope_type": kind, "factor": file.metadata.get(prefix + "factor", 1.0)}
    if kind == "yarn":
        original = file.metadata.get(prefix + "original_context_length")
        scaling["original_max_position_embeddings"] = original
    elif kind != "linear":
        raise UnsupportedModelError(
            f"{file.path} asks for rotary scaling {kind!r}, of which a GGUF file says too little: "
            "compile its Hugging Face checkpoint instead"
        )
    return scaling


def _apply_rope_factors(file: GgufFile, config: PretrainedConfig) -> None:
    """Find the setting behind the stored factors: the file keeps only what came of it."""
    factors = torch.from_numpy(file.values(ROPE_FACTORS)).reshape(-1)
    plain = dict(config.rope_parameters)
    scaled = {**plain, **_LLAMA3_ROPE, "factor": float(factors.max())}
    config.rope_parameters = scaled
    frequencies, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    exponents = torch.arange(0, 2 * len(factors), 2, dtype=torch.float32) / (2 * len(factors))
    expected = 1.0 / (plain["rope_theta"] ** exponents) / factors
    if frequencies.shape != expected.shape or not torch.allclose(frequencies, expected, rtol=1e-3):
        raise UnsupportedModelError(
            f"{file.path} scales its rotary frequencies in a way that is not Llama 3's: "
            "compile its Hugging Face checkpoint instead"
        )


Shape = tuple[int, ...]


def tensor_names(file: GgufFile, config: PretrainedConfig) -> dict[str, tuple[str, Shape]]:
    """transformers name -> (GGUF name, transformers shape) of every parameter the file holds.

    Raises CheckpointError for a missing parameter, UnsupportedModelError for a tensor that has no
    place in the transformers model.
    """
    with guarded(f"transformers cannot build the model of {file.path}"), torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    table = _gguf_names(file, config)
    prefix = f"{model.base_model_prefix}."
    found = {}
    for name, parameter in model.state_dict().items():
        stem, dot, kind = name.rpartition(".")
        theirs = table.get_name(stem) or table.get_name(stem.removeprefix(prefix))
        if theirs is not None and theirs + dot + kind in file.tensors:
            found[name] = (theirs + dot + kind, tuple(parameter.shape))
    tied = set(model._tied_weights_keys or {}) if config.tie_word_embeddings else set()
    missing = [name for name, _ in model.named_parameters() if name not in {*found, *tied}]
    if missing:
        raise CheckpointError(f"{file.path} lacks {_some(missing)}: get it again, or another")
    stray = sorted(set(file.tensors) - {ours for ours, _ in found.values()} - {ROPE_FACTORS})
    if stray:
        raise UnsupportedModelError(
            f"{file.path} holds {_some(stray)}, which transformers' {config.model_type} model has "
            "no place for: compile its Hugging Face checkpoint instead"
        )
    return found


def _gguf_names(file: GgufFile, config: PretrainedConfig) -> gguf.TensorNameMap:
    """The gguf library's table from the names that models use to its own."""
    for known, name in gguf.MODEL_ARCH_NAMES.items():
        if name == architecture(file):
            return gguf.get_tensor_name_map(known, config.num_hidden_layers)
    raise UnsupportedModelError(
        f"{file.path} holds the architecture {architecture(file)!r}, unknown to this version of "
        "the gguf library: compile its Hugging Face checkpoint instead"
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
