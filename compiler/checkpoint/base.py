"""What every source of weights offers, whatever it is stored as."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
import torch
from transformers import PretrainedConfig

from compiler.bundle.schema import Card, Scheme
from compiler.quantize import Quantized

IntArray = npt.NDArray[np.int32]
Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TensorInfo:
    """What is known of a tensor without reading it."""

    shape: tuple[int, ...]  # as in the transformers model, slowest axis first
    stored: str  # the type in the file: "F32", "BF16", "Q4_1", ...
    bytes: int  # size in the file
    scheme: Scheme | None = None  # of the codes, where the type's name does not say
    # The input of each column of the codes; None: they are in the values' order.
    order: IntArray | None = field(default=None, compare=False)
    rounded: bool = False  # the codes' scales lose by being f16


@dataclass(frozen=True)
class TokenizerFiles:
    """The tokenizer and what belongs to a chat."""

    model_json: bytes  # tokenizer.json
    config: dict[str, Any]  # tokenizer_config.json
    chat_template: str  # Jinja text; "" for a model without one
    special_tokens: dict[str, str]  # bos_token, eos_token, ... as chat templates name them
    stop_tokens: list[int]  # ids that end an answer, ascending


@dataclass(frozen=True)
class Description:
    """A model's card, and what a person should know of how it was read."""

    card: Card
    notes: list[str] = field(default_factory=list)


class Tensors(Protocol):
    """Named tensors in files, read one at a time: memory never holds more than one."""

    def names(self) -> list[str]:
        """Names as the files give them, in the files' order."""
        ...

    def info(self, name: str) -> TensorInfo:
        """KeyError for an unknown name."""
        ...

    def load(self, name: str) -> Array:
        """The values as f32, in a fresh C-order array. KeyError for an unknown name."""
        ...


class StoredTensors(Tensors, Protocol):
    """Tensors that can also be had as they are stored."""

    def raw(self, name: str) -> torch.Tensor:
        """KeyError for an unknown name."""
        ...


class TensorFiles(ABC):
    """StoredTensors whose subclass lists them at once, and reads one when asked for it."""

    def __init__(self) -> None:
        self._file: dict[str, Path] = {}
        self._info: dict[str, TensorInfo] = {}

    def names(self) -> list[str]:
        return list(self._info)

    def info(self, name: str) -> TensorInfo:
        return self._info[name]

    def load(self, name: str) -> Array:
        return self.raw(name).to(torch.float32, copy=True).contiguous().numpy()

    @abstractmethod
    def raw(self, name: str) -> torch.Tensor:
        """A tensor as it is stored."""


class Weights(Tensors, Protocol):
    """A model's tokenizer and weights, by the names of its `state_dict`.

    Tied weights that the source leaves out (`lm_head.weight`) are left out here too.
    """

    label: str  # what the user gave: a file or folder name, or hub id@revision
    description: Description  # what the source says of the model

    @property
    def tokenizer(self) -> TokenizerFiles:
        """Read when first asked for; CheckpointError when there is none."""
        ...

    def quantized(self, name: str) -> Quantized | None:
        """The stored codes (N, K) in the rows' transformers order, or None.

        Columns are in `info`'s order. Of stacked matrices (E, K, N): codes (E N, K) of them
        transposed. None where the stored type is no scheme of ours, or the values do not map code
        for code.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


class Closing:
    """What `with` does with Weights; most keep nothing open between reads."""

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Checkpoint(Weights, Protocol):
    """A model of transformers. Example::

    with open_checkpoint("model.gguf") as checkpoint:
        model = AutoModelForCausalLM.from_config(checkpoint.config)
        for name in checkpoint.names():
            weight = checkpoint.quantized(name) or quantize(checkpoint.load(name), Q4)
    """

    config: PretrainedConfig  # ready for AutoModelForCausalLM.from_config


def one_line(error: BaseException) -> str:
    """A library's error message, which may run over many lines, as part of one of ours."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= 200 else words[:199] + "…"
