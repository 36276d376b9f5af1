"""A directory as `save_pretrained` writes it and the hub holds it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from transformers import CONFIG_MAPPING, AutoConfig, PretrainedConfig

from compiler.checkpoint.base import (
    Array,
    Closing,
    StoredTensors,
    TensorInfo,
    TokenizerFiles,
)
from compiler.checkpoint.card import read_front_matter
from compiler.checkpoint.config import check_config, guarded
from compiler.checkpoint.prequantized import PrequantizedTensors
from compiler.checkpoint.safetensors import SafetensorsFiles
from compiler.checkpoint.settings import setting, shown
from compiler.checkpoint.tokenizer_files import read_json, read_tokenizer
from compiler.checkpoint.torchfile import TorchFiles
from compiler.errors import CheckpointError, UnsupportedModelError
from compiler.quantize import Quantized

# Weights in order of preference; each may be cut into the files that its index lists.
SAFETENSORS, TORCH = "model.safetensors", "pytorch_model.bin"
INDEX = ".index.json"


class DirectoryCheckpoint(Closing):
    """A Checkpoint read from config.json, tokenizer files and safetensors or PyTorch weights.

    `names()` are the files' own: models whose keys transformers renames or fuses on loading keep
    the stored ones. Raises CheckpointError for missing or damaged files, UnsupportedModelError
    for a configuration that transformers does not know or weights quantized in a foreign way.
    """

    def __init__(self, directory: Path, label: str = "") -> None:
        self.directory = directory
        self.label = label or directory.resolve().name
        file = directory / "config.json"
        settings = setting(read_json(file), "quantization_config", dict, file)
        self.config = _read_config(directory)
        self.description = read_front_matter(directory)
        self._tensors = PrequantizedTensors(_open_weights(directory), settings or {})

    @cached_property
    def tokenizer(self) -> TokenizerFiles:
        return read_tokenizer(self.directory)

    def names(self) -> list[str]:
        return self._tensors.names()

    def info(self, name: str) -> TensorInfo:
        return self._tensors.info(name)

    def load(self, name: str) -> Array:
        return self._tensors.load(name)

    def quantized(self, name: str) -> Quantized | None:
        return self._tensors.quantized(name)


def _read_config(directory: Path) -> PretrainedConfig:
    file = directory / "config.json"
    if not file.exists():
        raise CheckpointError(
            f"{directory} has no config.json: give a directory that save_pretrained wrote, "
            "a hub id or a .gguf file"
        )
    raw = read_json(file)
    kind = raw.get("model_type")
    if "auto_map" in raw and str(kind) not in CONFIG_MAPPING:
        raise UnsupportedModelError(
            f"{file} describes a model of its own code (model_type {shown(kind)}), and no code of "
            "a checkpoint is run: load it in a Python file of yours and give file.py:make_model"
        )
    what = f"{file} describes a model that transformers cannot build (model_type {shown(kind)})"
    with guarded(what):
        config: PretrainedConfig = AutoConfig.from_pretrained(
            directory, local_files_only=True, trust_remote_code=False
        )
    check_config(config, raw, file)
    # The model is built as if it were not quantized, and of transformers' own code alone.
    for name in ("quantization_config", "auto_map"):
        if hasattr(config, name):
            delattr(config, name)
    return config


def _open_weights(directory: Path) -> StoredTensors:
    if files := weight_files(directory, SAFETENSORS):
        return SafetensorsFiles(files)
    if files := weight_files(directory, TORCH):
        return TorchFiles(files)
    found = sorted(file.name for file in directory.glob("*.gguf"))
    hint = f"give one of its GGUF files itself ({', '.join(found)})" if found else "add the weights"
    raise CheckpointError(
        f"{directory} holds no weights ({SAFETENSORS} or {TORCH}, whole or with its index): {hint}"
    )


def weight_files(directory: Path, name: str) -> list[Path]:
    """The file `name`, or the files its index lists; [] when there is neither."""
    if (directory / name).exists():
        return [directory / name]
    index = directory / (name + INDEX)
    places = setting(read_json(index), "weight_map", dict, index) or {}
    listed = {str(setting(places, tensor, str, index)) for tensor in places}
    files = [directory / file for file in sorted(listed)]
    for file in files:
        if not file.exists():
            raise CheckpointError(f"{file} is missing, though {name}{INDEX} lists it: get it again")
    return files
