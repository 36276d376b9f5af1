"""A GGUF file as a Checkpoint."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from transformers.modeling_gguf_pytorch_utils import TENSOR_PROCESSORS, TensorProcessor

from compiler.checkpoint import gguf_codes
from compiler.checkpoint.base import Array, Closing, Description, TensorInfo, TokenizerFiles
from compiler.checkpoint.card import merged, of_gguf, read_front_matter
from compiler.checkpoint.gguf_file import read_gguf
from compiler.checkpoint.gguf_model import architecture, read_config, tensor_names
from compiler.checkpoint.gguf_tokenizer import build_tokenizer
from compiler.errors import UnsupportedModelError
from compiler.quantize import Quantized


class GgufCheckpoint(Closing):
    """A Checkpoint read from one .gguf file.

    Raises CheckpointError for a missing or damaged file, UnsupportedModelError for an
    architecture, rotary scaling, tokenizer or tensor type that cannot be translated.
    """

    def __init__(self, path: Path, label: str = "") -> None:
        self._file = read_gguf(path)
        self.label = label or path.name
        self.config = read_config(self._file)
        self.description = Description(of_gguf(self._file.metadata))
        if label:  # of a hub, where the README beside a file is the model's
            beside = read_front_matter(path.parent)
            self.description = Description(merged(self.description.card, beside.card), beside.notes)
        processor: Any = TENSOR_PROCESSORS.get(architecture(self._file), TensorProcessor)
        self._processor: Any = processor(config=self.config.to_dict())
        self._names: dict[str, str] = {}
        for name, (stored, shape) in tensor_names(self._file, self.config).items():
            self._names[name] = stored
            self._check_shape(name, shape)

    def _check_shape(self, name: str, expected: tuple[int, ...]) -> None:
        """A configuration read wrongly from the metadata shows here first."""
        if (shape := self.info(name).shape) != expected:
            raise UnsupportedModelError(
                f"{self._file.path} stores {self._names[name]} as {shape}, but transformers' "
                f"{self.config.model_type} model wants {expected}: compile its Hugging Face "
                "checkpoint instead"
            )

    @cached_property
    def tokenizer(self) -> TokenizerFiles:
        return build_tokenizer(self._file)

    def names(self) -> list[str]:
        return list(self._names)

    def info(self, name: str) -> TensorInfo:
        tensor = self._file.tensors[self._names[name]]
        # transformers' shape: its processors transpose weights and add axes for some models.
        probe = np.broadcast_to(np.int8(-1), tensor.shape)
        shape = self._processed(probe, name).shape
        return TensorInfo(shape, str(tensor.type.name), tensor.bytes)

    def load(self, name: str) -> Array:
        values = self._processed(self._file.values(self._names[name]), name)
        return np.ascontiguousarray(values, np.float32)

    def quantized(self, name: str) -> Quantized | None:
        tensor = self._file.tensors[self._names[name]]
        if len(tensor.shape) != 2 or not gguf_codes.can_carry(tensor.type):
            return None
        order = self._row_order(name, tensor.shape[0])
        codes = gguf_codes.carried(self._file.blocks(self._names[name]), tensor.type)
        if order is None or codes is None:
            return None
        return codes.take_rows(order) if (np.diff(order) != 1).any() else codes

    def _processed(self, values: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
        """What transformers does to a dequantized tensor: row order, transposition, offsets."""
        aside: dict[str, dict[str, Any]] = {"tensors": {}}
        result = self._processor.process(
            weights=values, name=self._names[name], tensor_key_mapping={}, parsed_parameters=aside
        )
        if result.name is not None:
            return np.asarray(result.weights)
        if set(aside["tensors"]) != {name}:
            raise UnsupportedModelError(
                f"{self._file.path} stores {name} fused with other tensors: "
                "compile its Hugging Face checkpoint instead"
            )
        return np.asarray(aside["tensors"][name])

    def _row_order(self, name: str, rows: int) -> npt.NDArray[np.intp] | None:
        """The stored row of each transformers row, if that is all that changes: codes then hold.

        Found by sending row numbers through the processor in place of the values.
        """
        numbers = np.arange(rows, dtype=np.float32)[:, None]  # f32 counts exactly to 2**24
        try:
            order = self._processed(numbers, name)
        except ValueError:  # a processor that needs the true width does more than order rows
            return None
        if order.shape != numbers.shape or (np.sort(order, axis=0) != numbers).any():
            return None
        return order[:, 0].astype(np.intp)
