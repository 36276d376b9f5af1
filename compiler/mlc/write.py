"""`compile-model --format mlc`: a model's weights, quantized here, for MLC's runtimes.

The kernels are MLC's own, compiled by it for the architecture; only weights, configuration and
tokenizer are written.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers

from compiler.checkpoint.base import Array, Checkpoint
from compiler.checkpoint.conversion import Converted
from compiler.checkpoint.lora import Adapted
from compiler.checkpoint.mlc_files import CONFIG, is_mlc
from compiler.checkpoint.mlc_names import PARTS, offset_norms
from compiler.checkpoint.open import open_checkpoint
from compiler.checkpoint.own import OwnCheckpoint
from compiler.checks import check_shape, check_tokenizer, chosen_context, stop_tokens
from compiler.errors import BundleError, UnsupportedModelError, UsageError
from compiler.graph.program import Source
from compiler.graph.quantize import Coding
from compiler.mlc.chat import conversation
from compiler.mlc.shards import MlcShards
from compiler.progress import Progress
from compiler.subject import limits_of
from compiler.trace.model import build_model, tied_names

QUANTIZATIONS = {"q4": "q4f16_1", "f16": "q0f16", "f32": "q0f32"}
GROUP, ZERO = 32, 7  # of q4f16_1; codes are 0..14
_FUSED = {PARTS[:3]: "qkv_proj", PARTS[3:]: "gate_up_proj"}
# Model types for which MLC has another name for query, key and value in one.
_ATTENTION = {"qwen2": "c_attn", "qwen3": "c_attn"}


@dataclass(frozen=True)
class Written:
    """The result of `write_mlc`."""

    folder: Path
    quantization: str  # MLC's name
    bytes: int  # of weights
    seconds: float


@dataclass(frozen=True)
class _Weight:
    """A tensor under MLC's name, made of these parameters on top of each other."""

    name: str
    parts: tuple[str, ...]
    coded: bool  # by quantizations that code anything


def write_mlc(
    source: str,
    *,
    output: Path,
    quantization: str | None,
    context: int | None,
    revision: str | None,
    progress: Progress,
    lora: Path | None = None,
) -> Written:
    """Writes `source` for MLC's runtimes into the folder `output`.

    Raises CompileError; nothing is left at `output` then but what was there before.
    """
    start = time.monotonic()
    kind = QUANTIZATIONS.get(quantization or "q4")
    if kind is None:
        known = ", ".join(QUANTIZATIONS)
        raise UsageError(f"--quantization {quantization}: --format mlc has {known} alone")
    _refuse_foreign(output)
    with progress.stage("open"):
        opened = open_checkpoint(source, revision)
    if isinstance(opened, OwnCheckpoint):
        raise UsageError(f"--format mlc is for models of transformers, and {source} is your own")
    with opened:
        model = build_model(opened.config)
        converted = Converted(opened, model)
        checkpoint = converted if lora is None else Adapted(converted, lora)
        limits = limits_of(model)
        check_tokenizer(checkpoint, limits.vocabulary)
        positions = chosen_context(limits.context, context, limits.context)
        weights = list(_weights(model))
        with _replacing(output) as folder, closing(MlcShards(folder)) as shards:
            with progress.stage("weights", total=len(weights)) as stage:
                for name, array, dtype in _tensors(checkpoint, model, weights, kind):
                    shards.add(name, array, dtype)
                    stage.advance(0, name)
            shards.finish(sum(p.numel() for p in model.parameters()))
            _write_config(folder, checkpoint, kind, positions)
    return Written(output, kind, shards.bytes, time.monotonic() - start)


@contextmanager
def _replacing(output: Path) -> Iterator[Path]:
    """A folder to write into, which then takes the place of `output`, or leaves nothing."""
    with _translated(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
        try:
            yield aside
            aside.chmod(0o755)
            shutil.rmtree(output, ignore_errors=True)
            aside.rename(output)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _translated(output: Path) -> Iterator[None]:
    """Turns what the file system refuses into an error that says what to do."""
    try:
        yield
    except OSError as error:
        raise BundleError(
            f"cannot write {output}: {error.strerror or error}; choose another folder with -o"
        ) from error


def _refuse_foreign(output: Path) -> None:
    if output.exists() and not (output.is_dir() and (is_mlc(output) or not any(output.iterdir()))):
        raise UsageError(f"{output} holds something else: remove it, or choose another --output")


def _weights(model: transformers.PreTrainedModel) -> Iterator[_Weight]:
    """Every parameter once, fused as MLC's models have them."""
    attention = _ATTENTION.get(model.config.model_type, _FUSED[PARTS[:3]])
    shapes = {name: p.shape for name, p in model.named_parameters()}
    for name, shape in shapes.items():
        module, _, kind = name.rpartition(".")
        parent, _, leaf = module.rpartition(".")
        layer = model.get_submodule(module)
        coded = len(shape) == 2 and isinstance(layer, torch.nn.Linear | torch.nn.Embedding)
        if len(shape) > 1 and not coded:
            raise UnsupportedModelError(
                f"{name} {tuple(shape)} is neither a linear layer's nor an embedding's, and how "
                "MLC keeps it is not known: leave out --format mlc"
            )
        group = next((parts for parts in _FUSED if leaf in parts), ())
        parts = tuple(f"{parent}.{part}.{kind}" for part in group)
        if not parts or not all(part in shapes for part in parts):
            yield _Weight(name, (name,), coded)
        elif name == parts[0]:
            fused = attention if group == PARTS[:3] else _FUSED[group]
            yield _Weight(f"{parent}.{fused}.{kind}", parts, coded)


def _tensors(
    checkpoint: Converted | Adapted,
    model: transformers.PreTrainedModel,
    weights: list[_Weight],
    kind: str,
) -> Iterator[tuple[str, npt.NDArray[Any], str]]:
    """Names, contents and MLC's types, one weight in memory at a time."""
    prefix = model.base_model_prefix
    coding = Coding(checkpoint, tied_names(model), "f32", prefix, checkpoint.pieces)
    offset = offset_norms(model)
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    for weight in weights:
        parts = [coding.values(Source(part)) for part in weight.parts]
        for part, found in zip(weight.parts, parts, strict=True):
            check_shape(part, found.shape, shapes[part])
        values = np.concatenate(parts)
        if weight.name in offset:
            values = values + np.float32(1)
        if kind == "q4f16_1" and weight.coded:
            words, scales = code(values, weight.name)
            stem = weight.name.removesuffix(".weight")
            yield f"{stem}.q_weight", words, "uint32"
            yield f"{stem}.q_scale", scales, "float16"
        elif kind == "q0f32":
            yield weight.name, values, "float32"
        else:
            yield weight.name, _half(values, weight.name), "float16"


def code(values: Array, name: str) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.float16]]:
    """Values (N, K) as q4f16_1: words (N, 4 G) of 8 codes each, the first lowest, and scales
    (N, G) of 32 values; value = (code - 7) * scale."""
    rows, columns = values.shape
    padded = np.pad(values, ((0, 0), (0, -columns % GROUP)))
    grouped = padded.reshape(rows, -1, GROUP)
    scales = _half(np.abs(grouped).max(axis=-1) / np.float32(ZERO), name)
    wide = scales.astype(np.float32)[..., None]
    steps = np.divide(grouped, wide, out=np.zeros_like(grouped), where=wide > 0)
    codes = np.clip(np.rint(steps) + ZERO, 0, 2 * ZERO).astype(np.uint32)
    shifts = np.arange(8, dtype=np.uint32) * np.uint32(4)
    words = (codes.reshape(rows, -1, 8) << shifts).sum(axis=-1, dtype=np.uint32)
    return words, scales


def _half(values: Array, name: str) -> npt.NDArray[np.float16]:
    with np.errstate(over="ignore"):
        halves = values.astype(np.float16)
    if not np.isfinite(halves).all():
        raise UnsupportedModelError(
            f"{name} holds numbers beyond f16: choose --quantization f32 with --format mlc"
        )
    return halves


def _write_config(folder: Path, checkpoint: Checkpoint, kind: str, context: int) -> None:
    """mlc-chat-config.json and the tokenizer's files."""
    tokenizer, config = checkpoint.tokenizer, checkpoint.config
    settings = _model_config(config, context)
    stops = stop_tokens(checkpoint, config.vocab_size)
    chat = {
        "version": "0.1.0",
        "model_type": config.model_type,
        "quantization": kind,
        "model_config": settings,
        "vocab_size": config.vocab_size,
        "context_window_size": settings["context_window_size"],
        "sliding_window_size": -1,
        "prefill_chunk_size": settings["prefill_chunk_size"],
        "attention_sink_size": -1,
        "tensor_parallel_shards": 1,
        "temperature": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "repetition_penalty": 1.0,
        "top_p": 1.0,
        "tokenizer_files": ["tokenizer.json", "tokenizer_config.json"],
        "conv_template": conversation(tokenizer.chat_template, tokenizer.special_tokens, stops),
        "bos_token_id": getattr(config, "bos_token_id", None),
        "eos_token_id": stops or None,
        "pad_token_id": getattr(config, "pad_token_id", None),
    }
    given = {key: value for key, value in chat.items() if value is not None}
    own = tokenizer.config | {"chat_template": tokenizer.chat_template}
    (folder / CONFIG).write_text(json.dumps(given, indent=2))
    (folder / "tokenizer.json").write_bytes(tokenizer.model_json)
    (folder / "tokenizer_config.json").write_text(json.dumps(own, ensure_ascii=False))


def _model_config(config: transformers.PretrainedConfig, context: int) -> dict[str, Any]:
    """transformers' settings with what MLC calls otherwise."""
    rope = getattr(config, "rope_parameters", None) or {}
    values = {key: value for key, value in config.to_dict().items() if value is not None}
    for key in ("_name_or_path", "architectures", "transformers_version", "dtype"):
        values.pop(key, None)
    if (kind := rope.get("rope_type", "default")) != "default":
        values["rope_scaling"] = {**rope, "rope_type": kind}
    own = {
        "context_window_size": context,
        "prefill_chunk_size": min(2048, context),
        "tensor_parallel_shards": 1,
        "max_batch_size": 1,
    }
    if "rope_theta" in rope:
        own["position_embedding_base"] = rope["rope_theta"]
    return values | own
