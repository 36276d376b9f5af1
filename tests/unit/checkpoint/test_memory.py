"""Reading a checkpoint tensor by tensor keeps none of it in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from compiler.checkpoint.base import Array
from compiler.checkpoint.gguf_file import read_gguf
from compiler.checkpoint.safetensors import SafetensorsFiles
from compiler.checkpoint.torchfile import TorchFiles
from tests.unit.checkpoint.gguf_writer import write_gguf

pytestmark = pytest.mark.slow  # writes files of some size

STATM = Path("/proc/self/statm")
SIDE, COUNT = 2048, 16
TENSOR_BYTES = SIDE * SIDE * 4  # 16 MiB

Load = Callable[[str], Array]


def resident() -> int:
    """Bytes of memory held now, pages of mapped files included."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def safetensors(file: Path, values: dict[str, torch.Tensor]) -> Load:
    save_file(values, file)
    return SafetensorsFiles([file]).load


def torch_file(file: Path, values: dict[str, torch.Tensor]) -> Load:
    torch.save(values, file)
    return TorchFiles([file]).load


def gguf_file(file: Path, values: dict[str, torch.Tensor]) -> Load:
    write_gguf(file, tensors={name: value.numpy() for name, value in values.items()})
    return read_gguf(file).values


@pytest.mark.skipif(not STATM.exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("write", [safetensors, torch_file, gguf_file])
def test_memory_does_not_add_up(
    tmp_path: Path, write: Callable[[Path, dict[str, torch.Tensor]], Load]
) -> None:
    names = [f"w{i}" for i in range(COUNT)]
    load = write(tmp_path / "file", {name: torch.ones(SIDE, SIDE) for name in names})
    load(names[0])
    before = resident()
    assert sum(float(load(name)[0, 0]) for name in names) == COUNT
    grown = (resident() - before) / TENSOR_BYTES
    # The C allocator may keep the last two arrays it freed, whatever the file's size.
    assert grown < 4, f"{grown:.1f} of {COUNT} tensors stayed in memory"
