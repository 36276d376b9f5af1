"""Checkpoints in other quantizers' layouts, packed value by value from their documentation."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaForCausalLM, PretrainedConfig

from tests.unit.checkpoint.tiny import llama, write_tokenizer

Array = npt.NDArray[np.float32]
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)


@dataclass(frozen=True)
class Kind:
    """How a checkpoint is quantized."""

    method: str
    bits: int = 4
    group: int = 128  # -1: a whole row
    symmetric: bool = False
    act_order: bool = False
    v2: bool = False
    changes: dict[str, Any] = field(default_factory=dict)  # to quantization_config

    @property
    def settings(self) -> dict[str, Any]:
        own: dict[str, Any] = {"zero_point": not self.symmetric, "version": "gemm"}
        if self.method == "gptq":
            own = {"desc_act": self.act_order, "sym": self.symmetric}
            own["checkpoint_format"] = "gptq_v2" if self.v2 else "gptq"
        common = {"quant_method": self.method, "bits": self.bits, "group_size": self.group}
        return {**common, **own, **self.changes}


def words(codes: npt.NDArray[np.int64], bits: int, order: tuple[int, ...] = ()) -> torch.Tensor:
    """Codes (A, B) -> int32 (A, B * bits / 32): place i of a word is for code order[i] of it."""
    count = 32 // bits
    order = order or tuple(range(count))
    packed = [
        [
            sum(int(row[start + order[place]]) << (bits * place) for place in range(count))
            for start in range(0, len(row), count)
        ]
        for row in codes
    ]
    return torch.from_numpy(np.array(packed, np.uint32).view(np.int32))


def layer(
    random: np.random.Generator, kind: Kind, rows: int, columns: int
) -> tuple[dict[str, torch.Tensor], Array]:
    """The parts of a random layer (N, K), and its values."""
    size = columns if kind.group == -1 else kind.group
    groups = np.arange(columns) // size
    if kind.act_order:
        groups = np.random.default_rng(columns).permutation(groups)  # of the input, for all
    count, top = -(-columns // size), 2**kind.bits
    codes = random.integers(1, top, (rows, columns))
    shape = (rows, count)
    zeros = np.full(shape, top // 2) if kind.symmetric else random.integers(1, top, shape)
    scales = (random.uniform(0.5, 2, shape) / top / columns**0.5 * 4).astype(np.float16)
    centred = codes.astype(np.float32) - zeros.astype(np.float32)[:, groups]
    values = centred * scales.astype(np.float32)[:, groups]
    parts = {"scales": torch.from_numpy(np.ascontiguousarray(scales.T))}
    if kind.method == "awq":
        parts["qweight"] = words(codes.T, 4, AWQ_ORDER)
        parts["qzeros"] = words(zeros.T, 4, AWQ_ORDER)
    else:
        parts["qweight"] = words(codes, kind.bits).T.contiguous()
        parts["qzeros"] = words(zeros.T - (0 if kind.v2 else 1), kind.bits)
        parts["g_idx"] = torch.from_numpy(groups.astype(np.int32))
    return parts, values


def save(directory: Path, kind: Kind, **shape: Any) -> dict[str, Array]:
    """Writes a tiny Llama whose linear layers are random codes; their values by name."""
    model: LlamaForCausalLM = llama(hidden_size=128, intermediate_size=256, **shape).half()
    random = np.random.default_rng(5)
    state = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    state.pop("lm_head.weight")
    values = {}
    for name, module in model.model.named_modules(prefix="model"):
        if isinstance(module, torch.nn.Linear):
            del state[f"{name}.weight"]
            width, columns = module.out_features, module.in_features
            parts, values[f"{name}.weight"] = layer(random, kind, width, columns)
            state |= {f"{name}.{part}": tensor for part, tensor in parts.items()}
    save_file({n: t.contiguous() for n, t in state.items()}, directory / "model.safetensors")
    write_config(directory, model.config.to_dict() | {"quantization_config": kind.settings})
    return values


def write_config(directory: Path, config: dict[str, Any]) -> None:
    """config.json and the tokenizer."""
    config = {key: value for key, value in config.items() if value is not None}
    (directory / "config.json").write_text(json.dumps(config, default=str))
    write_tokenizer(directory)


E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # and the same with the sign bit, 8


def blocks(
    random: np.random.Generator, shape: tuple[int, int, int], lowest: int = 118, highest: int = 124
) -> tuple[torch.Tensor, torch.Tensor, Array]:
    """Random MXFP4 of (E, N, K): blocks, scales, and the values of the tensor (E, K, N)."""
    count, rows, columns = shape
    codes = random.integers(0, 16, (count, rows, columns // 32, 32)).astype(np.uint8)
    exponents = random.integers(lowest, highest + 1, codes.shape[:-1]).astype(np.uint8)
    table = np.array([*E2M1, *(-number for number in E2M1)], np.float32)
    values = table[codes] * np.float32(2) ** (exponents.astype(np.float32) - 127)[..., None]
    packed = codes[..., 0::2] | codes[..., 1::2] << 4
    stacked = np.ascontiguousarray(values.reshape(shape).transpose(0, 2, 1))
    return torch.from_numpy(packed), torch.from_numpy(exponents), stacked


def save_mxfp4(directory: Path, config: PretrainedConfig) -> dict[str, Array]:
    """Writes a random model whose stacked experts are MXFP4; their values by name."""
    torch.manual_seed(0)
    random = np.random.default_rng(6)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    state = {name: tensor.detach().half() for name, tensor in model.state_dict().items()}
    values = {}
    for name, tensor in model.state_dict().items():
        if tensor.ndim == 3:
            del state[name]
            count, columns, rows = tensor.shape
            parts = blocks(random, (count, rows, columns))
            state[f"{name}_blocks"], state[f"{name}_scales"], values[name] = parts
    save_file({n: t.contiguous() for n, t in state.items()}, directory / "model.safetensors")
    write_config(directory, config.to_dict() | {"quantization_config": {"quant_method": "mxfp4"}})
    return values
