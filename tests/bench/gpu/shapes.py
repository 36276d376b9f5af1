"""Bundles without weights: `python -m tests.bench.gpu.shapes FOLDER llama-1b llama-8b`.

A model is compiled for WebGPU from its configuration alone. What comes out is a bundle's manifest,
plans and kernels; the shard that its tensors name does not exist. `bench.ts` fills such a model's
buffers with random weights.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import LlamaConfig, PretrainedConfig

from compiler.build import write_programs
from compiler.bundle.codec import to_json
from compiler.bundle.schema import FileEntry, Manifest, Span, Tensor
from compiler.bundle.write import MANIFEST, BundleWriter
from compiler.checkpoint.base import Array, Closing, Description, TensorInfo, TokenizerFiles
from compiler.checkpoint.card import unknown
from compiler.lower import targets
from compiler.lower.plan import PackedTensor
from compiler.lower.targets import Target
from compiler.lower.tensors import Constants, Matrix, Plain, Store
from compiler.programs import kernel_files, lower_all, trace_functions
from compiler.progress import Progress, SilentProgress
from compiler.quantize import F32, Quantized
from compiler.quantize.layout import blocked_parts
from compiler.subject import DEFAULT_CONTEXT, open_subject
from compiler.trace.model import build_model

QUANTIZATION = "q4"
ABSENT = "weights/absent.bin"  # what tensors name instead of shards
WEBGPU = tuple(one for one in targets.TARGETS if one.backend == "webgpu")

# The configurations published with meta-llama/Llama-3.2-1B and meta-llama/Llama-3.1-8B.
_LLAMA_3 = {
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-5,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
}
_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
SHAPES: dict[str, dict[str, Any]] = {
    "llama-1b": {
        **_LLAMA_3,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "head_dim": 64,
        "tie_word_embeddings": True,
        "rope_parameters": {**_ROPE, "factor": 32.0},
    },
    "llama-8b": {
        **_LLAMA_3,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "head_dim": 128,
        "tie_word_embeddings": False,
        "rope_parameters": {**_ROPE, "factor": 8.0},
    },
}


class Shapes(Closing):
    """A checkpoint of shapes: a Checkpoint that has nothing to load."""

    description = Description(unknown())

    def __init__(self, name: str, config: PretrainedConfig) -> None:
        self.label = f"{name}, shapes only"
        self.config = config
        parameters = build_model(config).named_parameters()
        self._shapes = {each: tuple(values.shape) for each, values in parameters}

    @property
    def tokenizer(self) -> TokenizerFiles:
        """A tokenizer without tokens."""
        return TokenizerFiles(json.dumps({"model": {"vocab": {}}}).encode(), {}, "", {}, [])

    def names(self) -> list[str]:
        return list(self._shapes)

    def info(self, name: str) -> TensorInfo:
        shape = self._shapes[name]
        return TensorInfo(shape, "F32", 4 * int(np.prod(shape)))

    def load(self, name: str) -> Array:
        raise NotImplementedError(f"{self.label}: {name} has no values")

    def quantized(self, name: str) -> Quantized | None:
        return None


def compile_shape(
    name: str,
    config: PretrainedConfig,
    target: Path,
    progress: Progress | None = None,
    chosen: Sequence[Target] = WEBGPU,
) -> Manifest:
    """The bundle `target` of `config` for `chosen` targets, without its weights."""
    progress = progress or SilentProgress()
    subject = open_subject(Shapes(name, config))
    chosen = subject.fitting(chosen)
    limits = subject.limits
    context = min(limits.context, DEFAULT_CONTEXT)
    store = Store(subject.coded(QUANTIZATION))
    graphs = trace_functions(subject, store.coding, chosen, progress)
    programs = lower_all(graphs, chosen, limits, store)
    tensors = _tensors(store)
    with BundleWriter(target) as writer:
        files = kernel_files(programs, progress)
        described = (name, subject, context)
        complete = writer.finish(
            write_programs(writer, programs, files, packed(store), store, *described)
        )
    complete = _with_tensors(complete, tensors)
    (target / MANIFEST).write_bytes(to_json(complete))
    return complete


def packed(store: Store) -> dict[str, PackedTensor]:
    """Size and parts of every weight."""
    return {each: PackedTensor(one.bytes, one.parts) for each, one in _tensors(store).items()}


def _tensors(store: Store) -> dict[str, Tensor]:
    """Every weight as it would be packed, one after the other in the shard that is not there."""
    tensors: dict[str, Tensor] = {}
    end = 0
    for name, stored in store.tensors.items():
        tensor = _tensor(stored)
        span = Span(ABSENT, end, tensor.bytes)
        tensors[name] = dataclasses.replace(tensor, shards=[span])
        end += tensor.bytes
    return tensors


def _tensor(stored: Matrix | Plain | Constants) -> Tensor:
    if isinstance(stored, Matrix):
        size, parts = blocked_parts(stored.scheme, *stored.shape)
        return Tensor(list(stored.shape), stored.scheme, "blocked", size, parts, [])
    shape = stored.values.shape if isinstance(stored, Constants) else stored.shape
    size = 4 * int(np.prod(shape))
    return Tensor(list(shape), F32, "plain", size, {"values": Span("", 0, size)}, [])


def _with_tensors(written: Manifest, tensors: Mapping[str, Tensor]) -> Manifest:
    size = sum(tensor.bytes for tensor in tensors.values())
    absent = FileEntry(bytes=size, sha256="0" * 64)
    files = {**written.files, ABSENT: absent}
    return dataclasses.replace(written, tensors=dict(tensors), files=files)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where <shape>/ is written")
    parser.add_argument("shapes", nargs="+", choices=list(SHAPES))
    options = parser.parse_args()
    for name in options.shapes:
        print(f"compiling {name} from its shapes", flush=True)
        compile_shape(name, LlamaConfig(**SHAPES[name]), options.folder / name)


if __name__ == "__main__":
    main()
