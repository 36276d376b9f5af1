"""A directory of weights for MLC-LLM and WebLLM as a Checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

from compiler.checkpoint.base import Array, Closing, TensorInfo, TokenizerFiles
from compiler.checkpoint.card import read_front_matter
from compiler.checkpoint.config import check_config, guarded
from compiler.checkpoint.grid import Codes, Grid, GridTensor, unpack
from compiler.checkpoint.mlc_files import CONFIG, MlcFiles
from compiler.checkpoint.mlc_names import Place, offset_norms, places
from compiler.checkpoint.settings import setting
from compiler.checkpoint.tokenizer_files import read_json, read_tokenizer, token_ids
from compiler.errors import CheckpointError, UnsupportedModelError
from compiler.quantize import Quantized

CODES, SCALES = ".q_weight", ".q_scale"
# MLC's settings of a model, and transformers' names for them; None: only MLC has it.
_SETTINGS: dict[str, str | None] = {
    "context_window_size": "max_position_embeddings",
    "position_embedding_base": "rope_theta",
    "sliding_window_size": "sliding_window",
    "prefill_chunk_size": None,
    "attention_sink_size": None,
    "tensor_parallel_shards": None,
    "pipeline_parallel_stages": None,
    "max_batch_size": None,
    "disaggregation": None,
    "kwargs": None,
}
_ADVICE = "; compile its Hugging Face checkpoint instead"
_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")


@dataclass(frozen=True)
class Coding:
    """How an MLC quantization codes a weight (N, K): `q_weight` u32 (N, W), `per_word` codes a
    word from the lowest bits on, `q_scale` (N, G); value = (code - zero) * scale."""

    bits: int
    group: int
    zero: int

    @property
    def per_word(self) -> int:
        return 32 // self.bits


CODINGS = {
    "q4f16_1": Coding(4, 32, 7),
    "q4f16_2": Coding(4, 32, 7),  # embedding and head are f16
    "q4f32_1": Coding(4, 32, 7),
    "q3f16_1": Coding(3, 40, 3),
    "q0f16": None,
    "q0f32": None,
}


class MlcCheckpoint(Closing):
    """A Checkpoint read from mlc-chat-config.json, tensor-cache.json and its shards.

    Raises CheckpointError for missing or damaged files, UnsupportedModelError for a model type or
    quantization that cannot be read.
    """

    def __init__(self, directory: Path, label: str = "") -> None:
        self._directory = directory
        self.label = label or directory.resolve().name
        self.description = read_front_matter(directory)
        self._settings = read_json(directory / CONFIG)
        self._quantization = str(self._settings.get("quantization"))
        if self._quantization not in CODINGS:
            raise UnsupportedModelError(
                f"{directory} holds weights quantized with {self._quantization}; of MLC's "
                f"quantizations {', '.join(CODINGS)} can be read"
            )
        self._files = MlcFiles(directory)
        self.config = self._read_config()
        with guarded(self._unbuilt(), _ADVICE), torch.device("meta"):
            model = AutoModelForCausalLM.from_config(self.config)
        self._places = places(model, self._rows())
        self._offset = offset_norms(model)
        shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
        self._coded = {
            place.stored: self._tensor(place.stored, shapes[name])
            for name, place in self._places.items()
            if self._stem(place.stored) + CODES in self._files.records
        }
        self._check_shapes(shapes)

    def _unbuilt(self) -> str:
        kind = self._settings.get("model_type")
        return f"{self._directory} holds a model of type {kind!r}, which transformers cannot build"

    def _read_config(self) -> PretrainedConfig:
        file = self._directory / CONFIG
        given = setting(self._settings, "model_config", dict, file)
        if given is None:
            raise CheckpointError(f"{file} has no model_config: get it again")
        values: dict[str, Any] = {**(setting(given, "kwargs", dict, file) or {})}
        for key, value in given.items():
            name = _SETTINGS.get(key, key)
            known = name is not None and value is not None and value != -1
            if known and (key == name or name not in given):
                values[str(name)] = value
        values |= {key: self._settings[key] for key in _IDS if self._settings.get(key) is not None}
        head = any(name.startswith("lm_head.") for name in self._files.records)
        values.setdefault("tie_word_embeddings", not head)
        kind = str(self._settings.get("model_type"))
        for name in ("model_type", "auto_map"):  # of which the latter names code to run
            values.pop(name, None)
        with guarded(self._unbuilt(), _ADVICE):
            config: PretrainedConfig = AutoConfig.for_model(kind, **values)
        check_config(config, values, file)
        return config

    def _rows(self) -> dict[str, int]:
        """Rows of every stored weight, by the name it would have without quantization."""
        rows = {}
        for name, record in self._files.records.items():
            if not name.endswith(SCALES):
                stem = name.removesuffix(CODES)
                rows[name if stem == name else f"{stem}.weight"] = (*record.shape, 0)[0]
        return rows

    @staticmethod
    def _stem(name: str) -> str:
        return name.removesuffix(".weight")

    def _tensor(self, name: str, shape: tuple[int, ...]) -> GridTensor:
        """A stored weight whose rows have as many columns as `shape`."""
        coding, stem = CODINGS[self._quantization], self._stem(name)
        records = self._files.records
        if coding is None or stem + SCALES not in records or len(shape) != 2:
            raise CheckpointError(
                f"{self._directory} holds {stem}{CODES} without what belongs to it: get it again"
            )
        words, scales = records[stem + CODES], records[stem + SCALES]
        rows, columns = (*words.shape, 0)[0], shape[1]
        groups = -(-columns // coding.group)
        wanted = (rows, groups * coding.group // coding.per_word)
        if words.shape != wanted or scales.shape != (rows, groups) or words.dtype != "uint32":
            raise CheckpointError(
                f"{stem} has codes {words.shape} and scales {scales.shape}, expected {wanted} and "
                f"{(rows, groups)}: {CONFIG} and the weights belong to different models"
            )

        def grid() -> Grid:
            # A code above ours by one makes zero 8, which is a scheme without zero points.
            zeros = np.full((rows, groups), coding.zero + 1, np.int32)
            stored = np.asarray(self._files.read(stem + SCALES), np.float32)
            index = np.arange(columns, dtype=np.int32) // np.int32(coding.group)
            return Grid(name, coding.bits, stored, zeros, index)

        def codes() -> Codes:
            return _codes(self._files.read(stem + CODES), coding, name)[:, :columns] + np.uint8(1)

        kind = self._quantization.upper()
        return GridTensor(kind, (rows, columns), words.bytes + scales.bytes, grid, codes)

    def _check_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        for name, place in self._places.items():
            if place.stored not in self._coded:
                found = (place.rows, *self._files.records[place.stored].shape[1:])
                if found != shapes[name]:
                    raise CheckpointError(
                        f"{place.stored} holds {name} as {found}, but {CONFIG} makes it "
                        f"{shapes[name]}: they belong to different models"
                    )

    @cached_property
    def tokenizer(self) -> TokenizerFiles:
        files = read_tokenizer(self._directory)
        file = self._directory / CONFIG
        template = self._settings.get("conv_template")
        ends = token_ids(self._settings, "eos_token_id", file)
        if isinstance(template, dict):
            ends += token_ids(template, "stop_token_ids", file)
        return replace(files, stop_tokens=sorted({*files.stop_tokens, *ends}))

    def names(self) -> list[str]:
        return list(self._places)

    def info(self, name: str) -> TensorInfo:
        place = self._places[name]
        coded = self._coded.get(place.stored)
        if coded is not None:
            whole = coded.info
            size = whole.bytes * place.rows // max(1, whole.shape[0])
            return replace(whole, shape=(place.rows, *whole.shape[1:]), bytes=size)
        record = self._files.records[place.stored]
        kind = {"float16": "F16", "bfloat16": "BF16"}.get(record.dtype, "F32")
        size = record.bytes * place.rows // max(1, record.shape[0])
        return TensorInfo((place.rows, *record.shape[1:]), kind, size)

    def load(self, name: str) -> Array:
        place = self._places[name]
        coded = self._coded.get(place.stored)
        stored = self._files.read(place.stored) if coded is None else coded.load()
        values = np.array(stored[_rows(place)], np.float32, order="C")
        if name in self._offset:
            values -= 1
        return values

    def quantized(self, name: str) -> Quantized | None:
        place = self._places[name]
        coded = self._coded.get(place.stored)
        codes = None if coded is None else coded.quantized()
        return None if codes is None else codes.take_rows(_rows(place))


def _rows(place: Place) -> slice:
    return slice(place.start, place.start + place.rows)


def _codes(words: Any, coding: Coding, name: str) -> Codes:
    """u32 (N, W) -> codes (N, W * per_word)."""
    if coding.bits == 4:
        codes = unpack(words.view(np.int32), 4)
    else:
        shifts = np.arange(coding.per_word, dtype=np.uint32) * np.uint32(coding.bits)
        parts = words[..., None] >> shifts & np.uint32(2**coding.bits - 1)
        codes = parts.astype(np.uint8).reshape(len(words), -1)
    if codes.max(initial=0) > 2 * coding.zero:
        raise CheckpointError(
            f"{name} has the code {codes.max()}, above {2 * coding.zero}: the file is damaged"
        )
    return codes
