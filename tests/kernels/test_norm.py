"""Norms against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from compiler.kernels.gpu.norm import add_norm
from tests.support.gpu import Gpu, assert_close
from tests.support.wasm import Wasm

# Sums of up to 576 squares in f32, then one division: relative error below 576 epsilon / 2.
TOLERANCE = 576 * float(np.finfo(np.float32).eps) / 2


@pytest.mark.parametrize(("rows", "columns"), [(1, 576), (5, 70), (3, 64)])
def test_rms_norm(machine: Gpu | Wasm, rows: int, columns: int) -> None:
    random = np.random.default_rng(1)
    x = random.standard_normal((rows, columns)).astype(np.float32) * 3
    weight = random.standard_normal(columns).astype(np.float32)
    out = np.zeros_like(x)
    got = machine.run(
        machine.kernels.rms_norm(rows, columns, 1e-5), {"x": x, "weight": weight, "out": out}
    )["out"]
    expected = torch.nn.functional.rms_norm(
        torch.from_numpy(x).double(), [columns], torch.from_numpy(weight).double(), 1e-5
    )
    assert_close(got, expected.numpy(), TOLERANCE, f"rms_norm {rows}x{columns}")


@pytest.mark.parametrize(("rows", "columns"), [(1, 576), (5, 70)])
def test_add_norm(each_gpu: Gpu, rows: int, columns: int) -> None:
    random = np.random.default_rng(9)
    x, skip = random.standard_normal((2, rows, columns)).astype(np.float32) * 3
    weight = random.standard_normal(columns).astype(np.float32)
    buffers = {"x": x, "skip": skip, "weight": weight, "out": np.zeros_like(x)}
    got = each_gpu.run(add_norm(rows, columns, 1e-5, each_gpu.language), buffers)["out"]
    tensors = (torch.from_numpy(a).double() for a in (x, skip, weight))
    values, before, scale = tensors
    expected = before + torch.nn.functional.rms_norm(values, [columns], scale, 1e-5)
    assert_close(got, expected.numpy(), TOLERANCE, f"add_norm {rows}x{columns}")


@pytest.mark.parametrize(("rows", "columns"), [(1, 576), (5, 70), (3, 64)])
def test_layer_norm(machine: Gpu | Wasm, rows: int, columns: int) -> None:
    random = np.random.default_rng(2)
    x = random.standard_normal((rows, columns)).astype(np.float32) + 5
    weight, bias = random.standard_normal((2, columns)).astype(np.float32)
    buffers = {"x": x, "weight": weight, "bias": bias, "out": np.zeros_like(x)}
    got = machine.run(machine.kernels.layer_norm(rows, columns, 1e-5), buffers)["out"]
    tensors = (torch.from_numpy(a).double() for a in (x, weight, bias))
    values, scale, shift = tensors
    expected = torch.nn.functional.layer_norm(values, [columns], scale, shift, 1e-5)
    # The mean of 5 is subtracted from values near it, which costs three bits.
    assert_close(got, expected.numpy(), 8 * TOLERANCE, f"layer_norm {rows}x{columns}")
