"""A GGUF file as a Checkpoint.

Blocks of the carried-over types, 32 values of one row each (f16 little endian, byte i of qs)::

    Q8_0  34 bytes   d f16 | qs i8[32]          value i = qs[i] * d
    Q4_0  18 bytes   d f16 | qs u8[16]          value i = (low nibble of qs[i] - 8) * d,
                                                value 16 + i = (high nibble of qs[i] - 8) * d
    Q4_1  20 bytes   d f16 | m f16 | qs u8[16]  the same with nibble * d + m
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Self

import gguf
import numpy as np
import numpy.typing as npt
from transformers.modeling_gguf_pytorch_utils import TENSOR_PROCESSORS, TensorProcessor

from compiler.bundle.schema import Scheme
from compiler.checkpoint.base import Array, TensorInfo, TokenizerFiles
from compiler.checkpoint.gguf_file import read_gguf
from compiler.checkpoint.gguf_model import architecture, read_config, tensor_names
from compiler.checkpoint.gguf_tokenizer import build_tokenizer
from compiler.errors import UnsupportedModelError
from compiler.quantize import Q4, Q4_MIN, Q8, Quantized

_CARRIED: dict[gguf.GGMLQuantizationType, Scheme] = {
    gguf.GGMLQuantizationType.Q4_0: Q4,
    gguf.GGMLQuantizationType.Q4_1: Q4_MIN,
    gguf.GGMLQuantizationType.Q8_0: Q8,
}


class GgufCheckpoint:
    """A Checkpoint read from one .gguf file.

    Raises CheckpointError for a missing or damaged file, UnsupportedModelError for an
    architecture, rotary scaling, tokenizer or tensor type that cannot be translated.
    """

    def __init__(self, path: Path, label: str = "") -> None:
        self._file = read_gguf(path)
        self.label = label or path.name
        self.config = read_config(self._file)
        self.license = str(self._file.metadata.get("general.license", ""))
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
        scheme = _CARRIED.get(tensor.type)
        if scheme is None or len(tensor.shape) != 2:
            return None
        order = self._row_order(name, tensor.shape[0])
        if order is None:
            return None
        codes = _decode(self._file.blocks(self._names[name]), scheme)
        if scheme == Q8 and codes.codes.min(initial=0) == -128:  # kernels read it as -127
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

    def close(self) -> None:
        """Nothing stays open between reads."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _decode(blocks: npt.NDArray[np.uint8], scheme: Scheme) -> Quantized:
    """Blocks u8 (N, bytes of a row) -> codes (N, K) with their scales, unchanged."""
    rows = len(blocks)
    header = 4 if scheme.has_minimum else 2
    grouped = blocks.reshape(rows, -1, header + 4 * scheme.bits)
    numbers = np.ascontiguousarray(grouped[..., :header]).view(np.float16)
    minimums = np.ascontiguousarray(numbers[..., 1]) if scheme.has_minimum else None
    packed = grouped[..., header:]
    if scheme.bits == 8:
        codes = np.ascontiguousarray(packed).view(np.int8)
    else:
        codes = np.concatenate([packed & 0x0F, packed >> 4], axis=-1)
    scales = np.ascontiguousarray(numbers[..., 0])
    return Quantized(scheme, codes.reshape(rows, -1), scales, minimums)
