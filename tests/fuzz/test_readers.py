"""Damaged checkpoint files: whatever is in them, the clear error or their values.

`make fuzz` runs 100,000 of each kind; `make test` a sample.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

from compiler.checkpoint.base import StoredTensors
from compiler.checkpoint.gguf_file import read_gguf
from compiler.checkpoint.mlc_files import MlcFiles
from compiler.checkpoint.prequantized import PrequantizedTensors
from compiler.checkpoint.safetensors import SafetensorsFiles
from compiler.checkpoint.torchfile import TorchFiles
from compiler.errors import CompileError
from tests.unit.checkpoint import mlc_layout
from tests.unit.checkpoint.foreign import Kind, blocks, layer, words
from tests.unit.checkpoint.gguf_writer import Type, write_gguf

EXAMPLES = int(os.environ.get("FUZZ", "300"))
TORCH_TYPES = (torch.float32, torch.bfloat16, torch.float16, torch.int32)
MOST = 2**22  # values that a tensor of the small files below may claim to have

COUNTS = [b"\xff" * 8, b"\x00" * 8, b"\xff\xff\xff\x7f", (2**40).to_bytes(8, "little")]
# A place (of a thousand), and what is put there: bytes that mean something as counts and types.
edits = st.lists(
    st.tuples(
        st.integers(0, 999_999),
        st.one_of(
            st.binary(min_size=1, max_size=8),
            st.sampled_from(COUNTS),
        ),
    ),
    max_size=6,
)
cuts = st.one_of(st.none(), st.integers(0, 999_999))
# Most of a file is weights, where any byte will do: half of the edits go to its head.
# Of a file's bytes, which say nothing, in place of the error.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def gguf_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder: Path = tmp_path_factory.mktemp("gguf")
    kinds = {"attn_": Type.Q4_0, "ffn_": Type.Q8_0, "token_embd": Type.Q4_1}
    return write_gguf(folder / "a.gguf", kinds).read_bytes()


@pytest.fixture(scope="module")
def safetensors_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file: Path = tmp_path_factory.mktemp("safetensors") / "a.safetensors"
    random = np.random.default_rng(0)
    save_file({f"w{i}": random.random((4, 6), np.float32) for i in range(5)}, file)
    return file.read_bytes()


@pytest.fixture(scope="module")
def torch_bytes(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, bytes]:
    """A state dict as a zip archive, and as it was written before torch 1.6."""
    file: Path = tmp_path_factory.mktemp("torch") / "a.bin"
    state = {f"w{i}": torch.ones(4, 6).to(kind) for i, kind in enumerate(TORCH_TYPES)}
    found = {}
    for zipped in (True, False):
        torch.save(state, file, _use_new_zipfile_serialization=zipped)
        found[zipped] = file.read_bytes()
    return found


@pytest.fixture(scope="module")
def quantized_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A layer of GPTQ's, one of AWQ's, experts in MXFP4, a packed layer and one in FP8."""
    file: Path = tmp_path_factory.mktemp("quantized") / "a.safetensors"
    random = np.random.default_rng(0)
    state = {}
    for method in ("gptq", "awq"):
        kind = Kind(method, group=32, act_order=method == "gptq")
        parts, _ = layer(random, kind, 16, 64)
        state |= {f"{method}.{part}": tensor for part, tensor in parts.items()}
    state["mxfp4_blocks"], state["mxfp4_scales"], _ = blocks(random, (2, 4, 32))
    codes = random.integers(0, 16, (16, 64))
    state["packed.weight_packed"] = words(codes, 4)
    state["packed.weight_scale"] = torch.ones(16, 2)
    state["packed.weight_zero_point"] = words(codes[:, :2].T, 4).T.contiguous()
    state["fp8.weight"] = torch.ones(16, 64).to(torch.float8_e4m3fn)
    state["fp8.weight_scale_inv"] = torch.ones(2, 2)
    save_torch(state, file)
    return file.read_bytes()


@pytest.fixture(scope="module")
def mlc_bytes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A folder in MLC's layout and its list of tensors."""
    folder: Path = tmp_path_factory.mktemp("mlc")
    random = np.random.default_rng(0)
    values = {f"w{i}.weight": random.random((4, 40), np.float32) for i in range(5)}
    mlc_layout.write(folder, "q4f16_1", {}, values)
    return folder, (folder / "ndarray-cache.json").read_bytes()


def damaged(data: bytes, changes: list[tuple[int, bytes]], cut: int | None, head: int) -> bytes:
    out = bytearray(data)
    for index, (place, new) in enumerate(changes):
        within = head if index % 2 == 0 else len(out)
        start = place * within // 1_000_000
        out[start : start + len(new)] = new
    return bytes(out if cut is None else out[: cut * len(out) // 1_000_000])


def refusal(read: Callable[[], None]) -> str:
    """The clear error's message; "" where there is none. Other errors are not caught."""
    try:
        read()
    except CompileError as error:
        return str(error)
    return ""


def read_all(tensors: StoredTensors) -> None:
    for name in tensors.names():
        assert np.prod(tensors.info(name).shape, dtype=float) < MOST
        assert tensors.load(name).shape == tensors.info(name).shape


@fuzz
@given(changes=edits, cut=cuts)
@example(changes=[], cut=None)
def test_gguf(
    changes: list[tuple[int, bytes]], cut: int | None, gguf_bytes: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "a.gguf"
    file.write_bytes(damaged(gguf_bytes, changes, cut, head=12_000))

    def read() -> None:
        parsed = read_gguf(file)
        for name, tensor in parsed.tensors.items():
            assert np.prod(tensor.shape, dtype=float) < MOST
            assert parsed.values(name).shape == tensor.shape

    message = refusal(read)
    assert not message or file.name in message
    assert changes or cut is not None or not message


@fuzz
@given(changes=edits, cut=cuts)
@example(changes=[], cut=None)
def test_safetensors(
    changes: list[tuple[int, bytes]], cut: int | None, safetensors_bytes: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "a.safetensors"
    head = 8 + int.from_bytes(safetensors_bytes[:8], "little")
    file.write_bytes(damaged(safetensors_bytes, changes, cut, head))

    def read() -> None:
        read_all(SafetensorsFiles([file]))

    message = refusal(read)
    assert not message or file.name in message
    assert changes or cut is not None or not message


@fuzz
@given(changes=edits, cut=cuts, zipped=st.booleans())
@example(changes=[], cut=None, zipped=True)
@example(changes=[], cut=None, zipped=False)
def test_torch(
    changes: list[tuple[int, bytes]],
    cut: int | None,
    zipped: bool,
    torch_bytes: dict[bool, bytes],
    tmp_path: Path,
) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(damaged(torch_bytes[zipped], changes, cut, head=1000))

    def read() -> None:
        read_all(TorchFiles([file]))

    message = refusal(read)
    assert not message or file.name in message
    assert changes or cut is not None or not message


GROUP_SIZES = st.one_of(st.integers(-3, 2**40), st.sampled_from([32, -1, None, "32", 1.5]))


@fuzz
@given(changes=edits, cut=cuts, size=GROUP_SIZES, act_order=st.booleans())
@example(changes=[], cut=None, size=32, act_order=False)
def test_quantized(
    changes: list[tuple[int, bytes]],
    cut: int | None,
    size: object,
    act_order: bool,
    quantized_bytes: bytes,
    tmp_path: Path,
) -> None:
    file = tmp_path / "a.safetensors"
    head = 8 + int.from_bytes(quantized_bytes[:8], "little")
    file.write_bytes(damaged(quantized_bytes, changes, cut, head))

    settings = {
        "gptq": {"bits": 4, "group_size": size, "desc_act": act_order},
        "awq": {"bits": 4, "group_size": size},
        "mxfp4": {},
        "compressed-tensors": {
            "format": "pack-quantized",
            "config_groups": {"0": {"weights": {"num_bits": 4 if size == 32 else size}}},
        },
        "fp8": {"weight_block_size": [8, size]},
    }
    messages = [
        refusal(lambda m=method, own=own: read_coded(file, {"quant_method": m, **own}))
        for method, own in settings.items()
    ]
    if not changes and cut is None and size == 32:
        assert messages == [""] * 5


def read_coded(file: Path, settings: dict[str, object]) -> None:
    """Reads the weights of one method out of a file with those of all."""
    tensors = PrequantizedTensors(SafetensorsFiles([file]), settings)
    start = {"compressed-tensors": "packed"}.get(str(settings["quant_method"]))
    for name in tensors.names():
        if name.startswith(start or str(settings["quant_method"])):
            shape = tensors.info(name).shape
            assert np.prod(shape, dtype=float) < MOST
            assert tensors.load(name).shape == shape
            codes = tensors.quantized(name)
            assert codes is None or codes.codes.size == np.prod(shape)


@fuzz
@given(changes=edits, cut=cuts)
@example(changes=[], cut=None)
def test_mlc(
    changes: list[tuple[int, bytes]], cut: int | None, mlc_bytes: tuple[Path, bytes]
) -> None:
    folder, data = mlc_bytes
    (folder / "ndarray-cache.json").write_bytes(damaged(data, changes, cut, head=len(data)))

    def read() -> None:
        files = MlcFiles(folder)
        for name, record in files.records.items():
            assert np.prod(record.shape, dtype=float) < MOST
            assert files.read(name).shape == record.shape

    message = refusal(read)
    assert changes or cut is not None or not message
