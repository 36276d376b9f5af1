"""The tensors of a Hugging Face directory whose weights were quantized before they were saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from compiler.checkpoint import awq_gptq, fp8, mxfp4, pack_quantized
from compiler.checkpoint.base import Array, StoredTensors, TensorInfo
from compiler.errors import CheckpointError, UnsupportedModelError
from compiler.quantize import Quantized


class Coded(Protocol):
    """A weight made of several stored tensors."""

    @property
    def info(self) -> TensorInfo: ...

    def load(self) -> Array: ...

    def quantized(self) -> Quantized | None: ...


Found = Mapping[str, Coded]
# What reads the weights of a `quant_method`, and the names of a weight's parts.
_METHODS: dict[str, tuple[Callable[..., Found], Callable[[str], list[str]]]] = {
    "awq": (awq_gptq.layers, awq_gptq.parts),
    "gptq": (awq_gptq.layers, awq_gptq.parts),
    "mxfp4": (lambda files, _: mxfp4.stacks(files), mxfp4.parts),
    "compressed-tensors": (pack_quantized.layers, pack_quantized.parts),
    "fp8": (fp8.weights, fp8.parts),
}


class PrequantizedTensors:
    """`files` with quantized weights under the model's names; all others are left as they are.

    `settings` is config.json's `quantization_config`, {} for none. Raises UnsupportedModelError
    for methods that cannot be read, CheckpointError for weights that are damaged.
    """

    def __init__(self, files: StoredTensors, settings: Mapping[str, Any]) -> None:
        self._files = files
        self._coded: Found = {}
        self._names = files.names()
        if not settings:
            return
        method = str(settings.get("quant_method", "unknown"))
        if method not in _METHODS:
            raise UnsupportedModelError(
                f"weights quantized with {method} cannot be read, only "
                f"{', '.join(_METHODS)}: compile the original checkpoint or a GGUF file of the "
                "model"
            )
        find, parts = _METHODS[method]
        self._coded = find(files, settings)
        if not self._coded:
            raise CheckpointError(
                f"config.json says that weights are quantized with {method}, but none is: the "
                "configuration and the weights belong to different models"
            )
        consumed = {part for name in self._coded for part in parts(name)}
        self._names = [*self._coded, *(name for name in self._names if name not in consumed)]

    def names(self) -> list[str]:
        return self._names

    def info(self, name: str) -> TensorInfo:
        return self._coded[name].info if name in self._coded else self._files.info(name)

    def load(self, name: str) -> Array:
        return self._coded[name].load() if name in self._coded else self._files.load(name)

    def quantized(self, name: str) -> Quantized | None:
        return self._coded[name].quantized() if name in self._coded else None
