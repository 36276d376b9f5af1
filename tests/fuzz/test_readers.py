"""Damaged checkpoint files: whatever is in them, the clear error or their values.

`make fuzz` runs 100,000 of each kind; `make test` a sample.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

from compiler.checkpoint import awq_gptq, mxfp4
from compiler.checkpoint.gguf_file import read_gguf
from compiler.checkpoint.mlc_files import MlcFiles
from compiler.checkpoint.safetensors import SafetensorsFiles
from compiler.errors import CompileError
from tests.unit.checkpoint import mlc_layout
from tests.unit.checkpoint.foreign import Kind, blocks, layer
from tests.unit.checkpoint.gguf_writer import Type, write_gguf

EXAMPLES = int(os.environ.get("FUZZ", "300"))
MOST = 2**22  # values that a tensor of the small files below may claim to have

COUNTS = [b"\xff" * 8, b"\x00" * 8, b"\xff\xff\xff\x7f", (2**40).to_bytes(8, "little")]
# A place (of a thousand), and what is put there: bytes that mean something as counts and types.
edits = st.lists(
    st.tuples(
        st.integers(0, 999_999),
        st.one_of(
            st.binary(min_size=1, max_size=8),
            st.sampled_from(
                [b"\xff" * 8, b"\x00" * 8, b"\xff\xff\xff\x7f", (2**40).to_bytes(8, "little")]
            ),
        ),
    ),
    max_size=6,
)
cuts = st.one_of(st.none(), st.integers(0, 999_999))
# Most of a file is weights, where any byte will do: half of the edits go to its head.
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
def quantized_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A layer of GPTQ's, one of AWQ's and experts in MXFP4."""
    file: Path = tmp_path_factory.mktemp("quantized") / "a.safetensors"
    random = np.random.default_rng(0)
    state = {}
    for method in ("gptq", "awq"):
        kind = Kind(method, group=32, act_order=method == "gptq")
        parts, _ = layer(random, kind, 16, 64)
        state |= {f"{method}.{part}": tensor for part, tensor in parts.items()}
    state["w_blocks"], state["w_scales"], _ = blocks(random, (2, 4, 32))
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
        tensors = SafetensorsFiles([file])
        for name in tensors.names():
            assert tensors.load(name).shape == tensors.info(name).shape

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

    def read(method: str) -> None:
        tensors = SafetensorsFiles([file])
        settings = {"quant_method": method, "bits": 4, "group_size": size, "desc_act": act_order}
        coded = awq_gptq.layers(tensors, settings) if method != "mxfp4" else mxfp4.stacks(tensors)
        for name, weight in coded.items():
            if name.startswith((method, "w")):
                assert np.prod(weight.info.shape, dtype=float) < MOST
                assert weight.load().shape == weight.info.shape
                codes = weight.quantized()
                assert codes is None or codes.codes.size == np.prod(weight.info.shape)

    messages = [refusal(lambda method=method: read(method)) for method in ("gptq", "awq", "mxfp4")]
    if not changes and cut is None and size == 32:
        assert messages == ["", "", ""]


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
