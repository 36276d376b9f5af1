"""LoRA adapters as PEFT saves them, merged into the weights they belong to as those are read.

W + scaling B A with A (r, K) and B (N, r) (Hu et al., arXiv 2106.09685); scaling is alpha / r, or
alpha / sqrt(r) for rank-stabilised ones (Kalajdzievski, arXiv 2312.03732).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compiler.checkpoint.base import Array, Closing, TensorInfo, Tensors, TokenizerFiles
from compiler.checkpoint.card import adapted
from compiler.checkpoint.conversion import Converted
from compiler.checkpoint.safetensors import SafetensorsFiles
from compiler.checkpoint.settings import setting, shown
from compiler.checkpoint.tokenizer_files import read_json
from compiler.checkpoint.torchfile import TorchFiles
from compiler.errors import CheckpointError, UnsupportedModelError
from compiler.quantize import Quantized

CONFIG, SAFETENSORS, TORCH = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
PREFIX = "base_model.model."  # what PEFT's wrapper adds to names
_PART = re.compile(r"(?P<module>.+)\.(?P<kind>lora_(?:embedding_)?[AB])(?:\.weight)?")


@dataclass(frozen=True)
class _Delta:
    """What is added to one weight."""

    a: str  # names in the adapter's file
    b: str
    scaling: float
    transposed: bool  # the weight is (K, N), or an embedding


class Adapted(Closing):
    """`checkpoint` with the adapter in `directory` merged into it.

    Raises CheckpointError for an adapter that is damaged or belongs to another model,
    UnsupportedModelError for a kind of adapter that does not add a product to a weight.
    """

    def __init__(self, checkpoint: Converted, directory: Path) -> None:
        self._checkpoint, self._directory = checkpoint, directory
        self.label = f"{checkpoint.label} + {directory.resolve().name}"
        self.config = checkpoint.config
        self.description = adapted(checkpoint.description, directory)
        self._settings = _read_settings(directory)
        self._tensors = _open(directory)
        self._deltas: dict[str, _Delta] = {}
        self._replaced: dict[str, str] = {}
        self._index(set(checkpoint.names()))

    def _index(self, known: set[str]) -> None:
        parts: dict[str, dict[str, str]] = {}
        for stored in self._tensors.names():
            # An adapted embedding comes with the one it was made for, which may have new tokens.
            name = stored.removeprefix(PREFIX).replace(".base_layer.", ".")
            if (match := _PART.fullmatch(name)) is not None:
                parts.setdefault(match["module"], {})[match["kind"]] = stored
            elif "lora_" in name:
                raise UnsupportedModelError(
                    f"{self._directory} has {name}, which is more than a product to add (DoRA?): "
                    "merge it with PEFT's merge_and_unload() and compile the result"
                )
            else:
                self._replaced[self._weight(name, known)] = stored
        for module, found in parts.items():
            weight = self._weight(f"{module}.weight", known)
            self._deltas[weight] = self._delta(module, weight, found)

    def _weight(self, name: str, known: set[str]) -> str:
        if name not in known:
            raise CheckpointError(
                f"{self._directory} adapts {name}, which {self._checkpoint.label} does not have: "
                "the adapter belongs to another model"
            )
        return name

    def _delta(self, module: str, weight: str, parts: dict[str, str]) -> _Delta:
        kinds = sorted(parts)
        embedding = kinds == ["lora_embedding_A", "lora_embedding_B"]
        if not embedding and kinds != ["lora_A", "lora_B"]:
            raise CheckpointError(f"{self._directory}: {module} has only {', '.join(kinds)}")
        a, b = (parts[kind] for kind in kinds)
        transposed = embedding or bool(self._settings.get("fan_in_fan_out"))
        rank = self._rank(weight, a, b, transposed)
        alpha = self._alpha(module)
        root = rank**0.5 if self._settings.get("use_rslora") else rank
        return _Delta(a, b, alpha / root, transposed)

    def _rank(self, weight: str, a: str, b: str, transposed: bool) -> int:
        """Checks the shapes before anything is multiplied: a product of small tensors is large."""
        first, second = self._tensors.info(a).shape, self._tensors.info(b).shape
        if len(first) != 2 or len(second) != 2 or first[0] != second[1] or not first[0]:
            raise CheckpointError(
                f"{self._directory} adapts {weight} with {first} and {second}, expected (r, K) and "
                "(N, r) of one rank r: the adapter is damaged, get it again"
            )
        shape = (first[1], second[0]) if transposed else (second[0], first[1])
        expected = self._shape(weight)
        if shape != expected:
            raise CheckpointError(
                f"{self._directory} adapts {weight} as {shape}, but it is {expected}: the adapter "
                "belongs to another model"
            )
        return first[0]

    def _shape(self, name: str) -> tuple[int, ...]:
        if name in self._replaced:
            return self._tensors.info(self._replaced[name]).shape
        return self._checkpoint.info(name).shape

    def _alpha(self, module: str) -> float:
        """`alpha_pattern` holds those that differ, by the end of names as PEFT matches them."""
        file = self._directory / CONFIG
        patterns = setting(self._settings, "alpha_pattern", dict, file) or {}
        for key in patterns:
            try:
                matches = re.fullmatch(rf"(.*\.)?({key})", module) is not None
            except re.error as error:
                raise CheckpointError(
                    f"{file} says alpha_pattern holds {shown(key)}, which is no regular expression "
                    f"({error}): get it again"
                ) from error
            if matches and (own := setting(patterns, key, float, file)) is not None:
                return own
        alpha = setting(self._settings, "lora_alpha", float, file)
        if alpha is None:
            raise CheckpointError(f"{file} names no lora_alpha: get it again")
        return alpha

    @property
    def tokenizer(self) -> TokenizerFiles:
        return self._checkpoint.tokenizer

    def names(self) -> list[str]:
        return self._checkpoint.names()

    def info(self, name: str) -> TensorInfo:
        return self._checkpoint.info(name)

    def load(self, name: str) -> Array:
        values = self._base(name)
        delta = self._deltas.get(name)
        if delta is None:
            return values
        added = self._tensors.load(delta.b) @ self._tensors.load(delta.a)
        added = (added.T if delta.transposed else added) * np.float32(delta.scaling)
        merged: Array = values + added
        return merged

    def _base(self, name: str) -> Array:
        if name in self._replaced:
            return self._tensors.load(self._replaced[name])
        return self._checkpoint.load(name)

    def quantized(self, name: str) -> Quantized | None:
        """None for what the adapter changes: its codes are new."""
        return None if self._changes(name) else self._checkpoint.quantized(name)

    def pieces(self, name: str) -> list[str]:
        """As the checkpoint has them; what the adapter changes is whole."""
        return [name] if self._changes(name) else self._checkpoint.pieces(name)

    def _changes(self, name: str) -> bool:
        return name in self._deltas or name in self._replaced

    def close(self) -> None:
        self._checkpoint.close()


def _read_settings(directory: Path) -> dict[str, Any]:
    file = directory / CONFIG
    if not file.exists():
        raise CheckpointError(
            f"{directory} has no {CONFIG}: --lora takes a folder that PEFT's save_pretrained wrote"
        )
    settings = read_json(file)
    if (kind := settings.get("peft_type")) != "LORA":
        raise UnsupportedModelError(
            f"{directory} is an adapter of kind {kind}, not LoRA: merge it with PEFT's "
            "merge_and_unload() and compile the result"
        )
    return settings


def _open(directory: Path) -> Tensors:
    if (directory / SAFETENSORS).exists():
        return SafetensorsFiles([directory / SAFETENSORS])
    if (directory / TORCH).exists():
        return TorchFiles([directory / TORCH])
    raise CheckpointError(f"{directory} holds neither {SAFETENSORS} nor {TORCH}")
