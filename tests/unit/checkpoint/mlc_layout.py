"""MLC's weight directories, written and read value by value without the compiler's code."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
BITS = {"q4": (4, 32, 7), "q3": (3, 40, 3)}  # bits, group, zero


def coded(values: Array, kind: str) -> tuple[list[list[int]], Array, Array]:
    """Values (N, K) -> words, scales as stored, and the values that those stand for."""
    bits, group, zero = BITS[kind[:2]]
    stored = np.float16 if "f16" in kind else np.float32
    words: list[list[int]] = []
    count = -(-values.shape[1] // group)
    scales = np.zeros((len(values), count), stored)
    meant = np.zeros_like(values)
    for n, row in enumerate(values):
        words.append([])
        for g in range(count):
            part = row[g * group : (g + 1) * group]
            scales[n, g] = stored(max(abs(float(value)) for value in part) / zero)
            scale = float(scales[n, g])
            codes = [min(max(round(float(v) / scale) + zero, 0), 2 * zero) for v in part]
            for k, value in enumerate(codes):
                meant[n, g * group + k] = np.float32(value - zero) * np.float32(scale)
            codes += [zero] * (group - len(codes))
            per_word = 32 // bits
            for start in range(0, group, per_word):
                word = sum(c << (bits * i) for i, c in enumerate(codes[start : start + per_word]))
                words[-1].append(word)
    return words, scales, meant


def write(folder: Path, kind: str, config: dict[str, Any], tensors: dict[str, Array]) -> None:
    """Three shards, and the list under its older name."""
    entries: list[tuple[str, list[int], str, str, bytes]] = []
    for name, values in tensors.items():
        if values.ndim == 2 and kind[:2] in BITS:
            words, scales, _ = coded(values, kind)
            data = b"".join(struct.pack(f"<{len(row)}I", *row) for row in words)
            stem = name.removesuffix(".weight")
            shape = [len(words), len(words[0])]
            entries.append((f"{stem}.q_weight", shape, "uint32", "raw", data))
            dtype = str(scales.dtype)
            entries.append((f"{stem}.q_scale", list(scales.shape), dtype, "raw", scales.tobytes()))
        elif "f16" in kind:
            data = values.astype(np.float16).tobytes()
            entries.append((name, list(values.shape), "float16", "raw", data))
        else:  # all but two bytes of a number are dropped
            data = (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()
            entries.append((name, list(values.shape), "float32", "f32-to-bf16", data))
    records = []
    for number in range(3):
        shard, own = b"", []
        for name, shape, dtype, form, data in entries[number::3]:
            entry = {"name": name, "shape": shape, "dtype": dtype, "format": form}
            own.append({**entry, "nbytes": len(data), "byteOffset": len(shard)})
            shard += data
        file = f"params_shard_{number}.bin"
        (folder / file).write_bytes(shard)
        checksum = hashlib.md5(shard, usedforsecurity=False).hexdigest()
        head = {"dataPath": file, "format": "raw-shard", "nbytes": len(shard)}
        records.append({**head, "md5sum": checksum, "records": own})
    (folder / "ndarray-cache.json").write_text(json.dumps({"metadata": {}, "records": records}))
    (folder / "mlc-chat-config.json").write_text(json.dumps({"quantization": kind, **config}))


def read(folder: Path) -> dict[str, Array]:
    """The f32 values of every tensor of a folder in q4f16_1, q0f16 or q0f32."""
    cache = json.loads((folder / "tensor-cache.json").read_text())
    raw: dict[str, tuple[list[int], tuple[float, ...]]] = {}
    for shard in cache["records"]:
        data = (folder / shard["dataPath"]).read_bytes()
        assert len(data) == shard["nbytes"]
        assert hashlib.md5(data, usedforsecurity=False).hexdigest() == shard["md5sum"]
        end = 0
        for entry in shard["records"]:
            assert entry["byteOffset"] == end
            end += entry["nbytes"]
            letter = {"uint32": "I", "float16": "e", "float32": "f"}[entry["dtype"]]
            count = entry["nbytes"] // struct.calcsize(letter)
            numbers = struct.unpack_from(f"<{count}{letter}", data, entry["byteOffset"])
            raw[entry["name"]] = entry["shape"], numbers
    values = {}
    for name, (shape, numbers) in raw.items():
        if name.endswith(".q_weight"):
            stem = name.removesuffix(".q_weight")
            groups, scales = raw[f"{stem}.q_scale"]
            codes = [(word >> (4 * i)) & 15 for word in numbers for i in range(8)]
            made = [np.float32(c - 7) * np.float32(scales[i // 32]) for i, c in enumerate(codes)]
            values[f"{stem}.weight"] = np.array(made, np.float32).reshape(groups[0], -1)
        elif not name.endswith(".q_scale"):
            values[name] = np.array(numbers, np.float32).reshape(shape)
    return values
