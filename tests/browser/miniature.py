"""A bundle written by hand: three kernels that add, so that every answer is known beforehand.

The next token is (sum of all tokens so far + STRIDE) mod VOCABULARY. The sum is taken over the KV
cache, so a position that was never appended, or appended wrongly, changes the answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from string import ascii_letters, digits
from typing import Any

from compiler.bundle.schema import FORMAT

STRIDE = 5
STOP = 9  # the stop token: answers come by it within VOCABULARY tokens
SHARDS = ("weights/a.bin", "weights/b.bin")
MODEL = "/models/mini"
# Ġ is a space in byte-level tokenizers. Their number is prime: a sum that doubles with every token
# would otherwise settle on one value, and hide a step that ran twice or not at all.
ALPHABET = ["</s>", "Ġ", *ascii_letters, *digits[:7]]
VOCABULARY = len(ALPHABET)
CONTEXT = 4096

APPEND = """
@group(0) @binding(0) var<storage, read> control: array<i32>;
@group(0) @binding(1) var<storage, read> tokens: array<i32>;
@group(0) @binding(2) var<storage, read_write> kv: array<i32>;
@compute @workgroup_size(1) fn append(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = i32(id.x);
  if (row < control[1] && control[3] == 0) { kv[control[0] + row] = tokens[control[0] + row]; }
}
"""
SUM = """
@group(0) @binding(0) var<storage, read> control: array<i32>;
@group(0) @binding(1) var<storage, read> kv: array<i32>;
@group(0) @binding(2) var<storage, read> stride: array<i32>;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;
@compute @workgroup_size(1) fn sum() {
  // The stride is spread over the tensor's four words, which lie in two shards.
  var total = stride[0] + stride[1] + stride[2] + stride[3];
  for (var i = 0; i <= control[0]; i++) { total += kv[i]; }
  let vocabulary = i32(arrayLength(&logits));
  for (var i = 0; i < vocabulary; i++) { logits[i] = select(0.0, 1.0, i == total % vocabulary); }
}
"""
SAMPLE = """
@group(0) @binding(0) var<storage, read_write> control: array<i32>;
@group(0) @binding(1) var<storage, read_write> tokens: array<i32>;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@compute @workgroup_size(1) fn sample() {
  control[48] = 1 - control[3];
  if (control[3] == 1) { return; }
  var best = 0;
  for (var i = 0; i < i32(arrayLength(&logits)); i++) {
    if (logits[i] > logits[best]) { best = i; }
  }
  tokens[control[0] + 1] = best;
  control[49] = best;
  for (var i = 0; i < control[6]; i++) { if (control[7 + i] == best) { control[3] = 1; } }
  control[0] += 1;
}
"""


KERNELS = {"append": APPEND, "sum": SUM, "sample": SAMPLE}
ACCESS = {
    "append": ["read", "read", "read_write"],
    "sum": ["read", "read", "read", "read_write"],
    "sample": ["read_write", "read_write", "read"],
}

CARD: dict[str, Any] = {
    "license": {"id": "apache-2.0", "name": "", "link": "", "terms": ""},
    "languages": ["en"],
    "datasets": [],
    "base_models": [],
    "authors": ["Webkiln"],
    "tags": [],
    "links": [],
    "stored": ["F32"],
}


@dataclass
class Miniature:
    """The parts of the bundle; tests change them before `files` writes them down."""

    kernels: dict[str, str] = field(default_factory=lambda: dict(KERNELS))
    ahead: dict[str, dict[str, str]] = field(default_factory=dict)  # variants above f32: kernels
    format: int = FORMAT
    context: int = CONTEXT
    stop_tokens: list[int] = field(default_factory=lambda: [STOP])
    card: dict[str, Any] = field(default_factory=lambda: dict(CARD))

    def files(self) -> dict[str, bytes]:
        """The bundle as the server has it: address to content."""
        parts = {
            "tokenizer/model.json": json.dumps(_tokenizer()).encode(),
            "tokenizer/config.json": b"{}",
            SHARDS[0]: _words(7, 2, 1),  # the first word belongs to nothing
            SHARDS[1]: _words(1, 1),
        }
        for name, kernels in {**self.ahead, "f32": self.kernels}.items():
            parts[f"plans/{name}.json"] = json.dumps(self._plan(name, kernels)).encode()
            parts[f"kernels/{name}.wgsl"] = "".join(kernels.values()).encode()
        parts["manifest.json"] = json.dumps(self._manifest(parts)).encode()
        return {f"{MODEL}/{name}": content for name, content in parts.items()}

    def variants(self) -> dict[str, Any]:
        """The manifest's variants, best first."""
        return {name: variant(name) for name in (*self.ahead, "f32")}

    def _plan(self, variant: str, texts: dict[str, str]) -> dict[str, Any]:
        kernels, offset = [], 0
        for name, text in texts.items():
            size = len(text.encode())
            kernels.append(
                {
                    "name": name,
                    "entry": name,
                    "offset": offset,
                    "bytes": size,
                    "workgroup": [1, 1, 1],
                    "workgroup_bytes": 0,
                    "access": ACCESS[name],
                }
            )
            offset += size
        decode = [_step(0, 1, [0, 1, 2]), _step(1, 1, [0, 2, 5, 6]), _step(2, 1, [0, 1, 6])]
        functions = {"decode": {"rows": 1, "outputs": {"logits": 6}, "steps": decode}}
        steps = [_step(0, 16, [0, 1, 2]) | {"rows_axis": 0}]
        functions["prefill_16"] = {"rows": 16, "outputs": {}, "steps": steps}
        return {
            "format": self.format,
            "variant": variant,
            "recurrent": False,
            "buffers": [
                _buffer("control", "state", 256),
                _buffer("tokens", "state", 4, 4),
                _buffer("kv", "state", 0, 4),
                _buffer("sampling", "state", 32),
                _buffer("counts", "state", 4 * VOCABULARY),
                _buffer("stride", "weight", 16),
                _buffer("logits", "output", 4 * VOCABULARY),
            ],
            "kernels": kernels,
            "functions": functions,
        }

    def _manifest(self, parts: dict[str, bytes]) -> dict[str, Any]:
        return {
            "format": self.format,
            "name": "mini",
            "architecture": "Adder",
            "card": self.card,
            "source": "by hand",
            "parameters": 4,
            "vocabulary": VOCABULARY,
            "context": self.context,
            "default_context": 512,
            "bits_per_weight": 32.0,
            "chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}",
            "special_tokens": {"eos_token": "</s>"},
            "stop_tokens": self.stop_tokens,
            "tokenizer": {"model": ["tokenizer/model.json"], "config": "tokenizer/config.json"},
            "variants": self.variants(),
            "tensors": {"stride": TENSOR},
            "files": {
                name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                for name, content in parts.items()
            },
            "notes": [],
            "embedding": None,
        }


def variant(name: str) -> dict[str, Any]:
    return {
        "backend": "webgpu",
        "plan": f"plans/{name}.json",
        "kernels": f"kernels/{name}.wgsl",
        "requires": {"features": [], "limits": {}},
        "memory": {"weights": 16, "scratch": 0, "state_base": 1000, "state_per_token": 8},
        "bytes_per_token": 16,
        "dispatches_per_token": 3,
        "selftest": [selftest()],
        "tuned": {},
    }


def selftest() -> dict[str, Any]:
    """The kernel `sum` over three tokens."""
    tokens = [7, 8, 9]
    inputs = [
        given(256, [len(tokens) - 1]),
        given(16, tokens),
        given(16, [1, 1, 1, 2]),
        given(4 * VOCABULARY, []),
    ]
    best = continuation(tokens, 1)[0]
    return {
        "kernel": 1,
        "grid": [1, 1, 1],
        "inputs": inputs,
        "output": 3,
        "stride": 1,
        "expected": [float(index == best) for index in range(VOCABULARY)],
        "tolerance": 1e-6,
    }


def given(size: int, words: list[int]) -> dict[str, Any]:
    """The words, then random bits."""
    return {"bytes": size, "seed": 1, "keep": 2**32 - 1, "fixed": 0, "words": words}


TENSOR = {
    "shape": [4],
    "scheme": {"bits": 32, "group": 0, "has_minimum": False, "in_scales": False},
    "layout": "plain",
    "bytes": 16,
    "parts": {"values": {"file": "", "offset": 0, "bytes": 16}},
    "shards": [
        {"file": SHARDS[0], "offset": 4, "bytes": 8},
        {"file": SHARDS[1], "offset": 0, "bytes": 8},
    ],
}


def encode(text: str) -> list[int]:
    return [ALPHABET.index(character) for character in text.replace(" ", "Ġ")]


def decode(ids: Sequence[int]) -> str:
    return "".join(ALPHABET[i] for i in ids).replace("Ġ", " ")


def continuation(ids: Sequence[int], count: int) -> list[int]:
    """What the model answers, stop tokens not heeded."""
    sequence = list(ids)
    for _ in range(count):
        sequence.append((sum(sequence) + STRIDE) % VOCABULARY)
    return sequence[len(ids) :]


def _buffer(name: str, kind: str, size: int, per_token: int = 0) -> dict[str, Any]:
    return {"name": name, "kind": kind, "bytes": size, "bytes_per_token": per_token}


def _step(kernel: int, rows: int, buffers: list[int]) -> dict[str, Any]:
    bindings = [{"buffer": index, "offset": 0, "bytes": 0} for index in buffers]
    unlayered = {"layer": None, "rows_axis": None}
    return {"kernel": kernel, "grid": [rows, 1, 1], "bindings": bindings} | unlayered


def _tokenizer() -> dict[str, Any]:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    return {
        "added_tokens": [{"id": 0, "content": "</s>", "special": True, "normalized": False}],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "vocab": {token: index for index, token in enumerate(ALPHABET)},
            "merges": [],
        },
    }


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)
