"""A small GGUF file of a transformers model, converted as llama.cpp's own script does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from tests.unit.checkpoint.tiny import llama, vocabulary

Type = gguf.GGMLQuantizationType
_NORMAL, _CONTROL = 1, 3


def permuted(weight: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """(heads * 2 * half, K): rows h, p, i to rows h, i, p, which pairs neighbours for rotation."""
    half = len(weight) // heads // 2
    return weight.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(weight.shape)


def stored_weights() -> dict[str, npt.NDArray[np.float32]]:
    """The tiny Llama's weights under GGUF's names and in GGUF's row order."""
    model = llama()
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2)
    weights = {}
    for name, parameter in model.named_parameters():
        values = parameter.detach().numpy()
        if "q_proj" in name or "k_proj" in name:
            values = permuted(values, 4 if "q_proj" in name else 2)
        weights[f"{names.get_name(name.removesuffix('.weight'))}.weight"] = values
    return weights


def metadata() -> dict[str, Any]:
    """What llama.cpp writes for the tiny Llama, tokenizer included."""
    tokens, merges = vocabulary()
    tokens = [*tokens, *(f"[unused{i}]" for i in range(288 - len(tokens)))]
    prefix = "tokenizer.ggml."
    return {
        "general.license": "mit",
        "llama.context_length": 128,
        "llama.embedding_length": 64,
        "llama.block_count": 2,
        "llama.feed_forward_length": 96,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.freq_base": 54321.0,
        "llama.rope.dimension_count": 16,
        prefix + "model": "gpt2",
        prefix + "pre": "smollm",
        prefix + "tokens": tokens,
        prefix + "token_type": [_NORMAL] * 257 + [_CONTROL] * 3 + [_NORMAL] * 28,
        prefix + "merges": merges,
        prefix + "bos_token_id": 257,
        prefix + "eos_token_id": 258,
        "tokenizer.chat_template": "{{ messages }}",
    }


def write_gguf(
    path: Path,
    types: dict[str, Type] | None = None,
    changes: dict[str, Any] | None = None,
    tensors: dict[str, npt.NDArray[np.float32]] | None = None,
    arch: str = "llama",
) -> Path:
    """Write a file; `types` maps parts of names to stored types (F32 otherwise), `changes` adds
    metadata, or drops what is None, and `tensors` replaces the tiny Llama's."""
    writer = gguf.GGUFWriter(path, arch)
    for key, value in {**metadata(), **(changes or {})}.items():
        if value is not None:
            _add(writer, key, value)
    for name, values in (stored_weights() if tensors is None else tensors).items():
        chosen = [kind for part, kind in (types or {}).items() if part in name]
        kind = chosen[0] if chosen else Type.F32
        writer.add_tensor(name, gguf.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_cut(directory: Path) -> list[Path]:
    """The tiny model in files of five tensors each, as the gguf library cuts it."""
    writer = gguf.GGUFWriter(directory / "cut.gguf", "llama", split_max_tensors=5)
    whole = write_gguf(directory / "whole.gguf")
    reader = gguf.GGUFReader(whole)
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key != "general.architecture":
            kinds = field.types
            subtype = kinds[1] if len(kinds) > 1 else None
            writer.add_key_value(key, field.contents(), kinds[0], subtype)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, np.array(tensor.data))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sorted(directory.glob("cut-*.gguf"))


def _add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value)
