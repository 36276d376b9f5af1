"""GGUF files: types, names, row order, configuration, and what is wrong with broken ones."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import PretrainedConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from compiler.bundle.schema import Scheme
from compiler.checkpoint import open_checkpoint
from compiler.checkpoint.gguf_file import read_gguf
from compiler.errors import CheckpointError, UnsupportedModelError
from compiler.graph.program import Source
from compiler.graph.quantize import KEEP, Coding
from compiler.quantize import Q4, Q4_MIN, Q8, dequantize
from tests.unit.checkpoint.gguf_writer import Type, stored_weights, write_cut, write_gguf
from tests.unit.checkpoint.tiny import gpt2, llama

Q_PROJ = "model.layers.1.self_attn.q_proj.weight"
K_PROJ = "model.layers.1.self_attn.k_proj.weight"
DOWN_PROJ = "model.layers.0.mlp.down_proj.weight"


def linear(kind: Type) -> dict[str, Type]:
    """Store every matrix as `kind`, and norms as F32, as llama.cpp does."""
    return {"norm": Type.F32, "attn_": kind, "ffn_": kind, "token_embd": kind}


def test_values_come_back_under_transformers_names(tmp_path: Path) -> None:
    with open_checkpoint(str(write_gguf(tmp_path / "a.gguf"))) as checkpoint:
        expected = dict(llama().named_parameters())
        assert sorted(checkpoint.names()) == sorted(expected)
        for name, parameter in expected.items():
            values = checkpoint.load(name)
            assert checkpoint.info(name).shape == values.shape
            np.testing.assert_array_equal(values, parameter.detach().numpy(), err_msg=name)
            assert checkpoint.quantized(name) is None
        assert (checkpoint.label, checkpoint.description.card.license.id) == ("a.gguf", "mit")


@pytest.mark.parametrize(
    ("kind", "scheme"),
    [
        (Type.Q4_0, Q4),
        (Type.Q4_1, Q4_MIN),
        (Type.Q8_0, Q8),
        (Type.MXFP4, Q8),
        (Type.F16, None),
        (Type.BF16, None),
        (Type.Q5_0, None),
    ],
)
def test_every_writable_type(tmp_path: Path, kind: Type, scheme: Scheme | None) -> None:
    checkpoint = open_checkpoint(str(write_gguf(tmp_path / "a.gguf", linear(kind))))
    stored = stored_weights()
    embedding = stored["token_embd.weight"]
    expected = gguf.dequantize(gguf.quantize(embedding, kind), kind)
    np.testing.assert_array_equal(checkpoint.load("model.embed_tokens.weight"), expected)
    info = checkpoint.info("model.embed_tokens.weight")
    assert info.stored == kind.name
    assert info.bytes == gguf.quantize(embedding, kind).nbytes
    for name in (
        Q_PROJ,
        K_PROJ,
        "model.embed_tokens.weight",
        "model.layers.0.mlp.down_proj.weight",
    ):
        coded = checkpoint.quantized(name)
        if scheme is None:
            assert coded is None
            continue
        assert coded is not None
        assert coded.scheme == scheme
        np.testing.assert_array_equal(dequantize(coded), checkpoint.load(name), err_msg=name)


def test_the_lowest_code_is_not_carried_over(tmp_path: Path) -> None:
    """-128, which llama.cpp never writes and WGSL's snorm cannot tell from -127."""
    tensors = stored_weights()
    name = "blk.0.ffn_down.weight"
    blocks = gguf.quantize(tensors[name], Type.Q8_0)
    path = write_gguf(tmp_path / "a.gguf", linear(Type.Q8_0))
    data = path.read_bytes()
    start = data.index(blocks.tobytes())
    path.write_bytes(data[: start + 2] + b"\x80" + data[start + 3 :])  # after the scale
    checkpoint = open_checkpoint(str(path))
    down = "model.layers.0.mlp.down_proj.weight"
    assert checkpoint.quantized(down) is None
    assert checkpoint.quantized("model.embed_tokens.weight") is not None
    scale = float(blocks.reshape(-1)[:2].view(np.float16)[0])
    assert checkpoint.load(down)[0, 0] == -128 * scale
    made = Coding(checkpoint, {}, KEEP)
    made.matrix(Source(down), Q8)
    assert made.losses[Source(down)].relative > 0


@pytest.mark.parametrize(
    "kind", [Type.Q2_K, Type.Q3_K, Type.Q4_K, Type.Q5_K, Type.Q6_K, Type.IQ4_XS]
)
def test_types_the_library_only_reads(tmp_path: Path, kind: Type) -> None:
    """Random blocks stand in for those it cannot write."""
    generator = np.random.default_rng(0)
    values_per_block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    blocks = generator.integers(0, 60, (288, block_bytes), np.uint8)  # 60: finite f16 scales
    path = tmp_path / "a.gguf"
    wide = {"llama.embedding_length": values_per_block, "llama.rope.dimension_count": 64}
    writer_tensors = {name: _widened(name, values) for name, values in stored_weights().items()}
    write_gguf(path, {"token_embd": Type.F32}, wide, writer_tensors)
    _store_raw(path, "token_embd.weight", kind, blocks)
    expected = gguf.dequantize(blocks, kind)
    checkpoint = open_checkpoint(str(path))
    np.testing.assert_array_equal(checkpoint.load("model.embed_tokens.weight"), expected)
    assert checkpoint.info("model.embed_tokens.weight").stored == kind.name


def _widened(name: str, values: np.ndarray) -> np.ndarray:
    """Zeros shaped for a hidden size of 256 instead of 64, heads of 64."""
    shape = [256 if extent == 64 else extent for extent in values.shape]
    if "attn_k." in name or "attn_v." in name:
        shape[0] = 128
    return np.zeros(shape, np.float32)


def _store_raw(path: Path, name: str, kind: Type, blocks: np.ndarray) -> None:
    """Overwrite a tensor's type and its first bytes in place."""
    reader = gguf.GGUFReader(path)
    tensor = next(tensor for tensor in reader.tensors if tensor.name == name)
    type_at = tensor.field.offset + 8 + len(name) + 4 + 8 * len(tensor.shape)
    data = bytearray(path.read_bytes())
    data[type_at : type_at + 4] = struct.pack("<I", kind)
    data[tensor.data_offset : tensor.data_offset + blocks.nbytes] = blocks.tobytes()
    path.write_bytes(data)


def test_configuration_comes_from_the_metadata(tmp_path: Path) -> None:
    config = open_checkpoint(str(write_gguf(tmp_path / "a.gguf"))).config
    assert config.model_type == "llama"
    assert config.tie_word_embeddings is True
    assert config.rope_parameters["rope_theta"] == 54321.0
    assert (config.num_attention_heads, config.num_key_value_heads) == (4, 2)
    assert (config.head_dim, config.intermediate_size, config.vocab_size) == (16, 96, 288)
    assert (config.bos_token_id, config.eos_token_id) == (257, 258)
    assert config.rms_norm_eps == pytest.approx(1e-5)


def test_output_weight_unties_the_head(tmp_path: Path) -> None:
    tensors = {**stored_weights(), "output.weight": np.ones((288, 64), np.float32)}
    checkpoint = open_checkpoint(str(write_gguf(tmp_path / "a.gguf", tensors=tensors)))
    assert checkpoint.config.tie_word_embeddings is False
    assert (checkpoint.load("lm_head.weight") == 1).all()


def llama3_factors(config: PretrainedConfig) -> np.ndarray:
    """What llama.cpp's converter stores: plain frequencies over scaled ones."""
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    plain = 54321.0 ** -(torch.arange(0, 16, 2) / 16)
    return (plain / scaled).numpy().astype(np.float32)


def test_llama3_rotary_scaling_is_recovered_from_its_factors(tmp_path: Path) -> None:
    scaling = {
        "rope_type": "llama3",
        "rope_theta": 54321.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    factors = llama3_factors(llama(rope_parameters=scaling, head_dim=16).config)
    assert factors.max() == pytest.approx(8)
    tensors = {**stored_weights(), "rope_freqs.weight": factors}
    checkpoint = open_checkpoint(str(write_gguf(tmp_path / "a.gguf", tensors=tensors)))
    found = dict(checkpoint.config.rope_parameters)
    assert found.pop("rope_type") == scaling.pop("rope_type")
    assert found == pytest.approx(scaling, rel=1e-6)
    assert "rope_freqs.weight" not in checkpoint.names()
    tensors["rope_freqs.weight"] = np.linspace(1, 8, 8, dtype=np.float32)
    with pytest.raises(UnsupportedModelError, match="not Llama 3's"):
        open_checkpoint(str(write_gguf(tmp_path / "b.gguf", tensors=tensors)))


def test_rotary_scaling_of_the_metadata(tmp_path: Path) -> None:
    linear_scaling = {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 2.0}
    config = open_checkpoint(str(write_gguf(tmp_path / "a.gguf", changes=linear_scaling))).config
    assert config.rope_parameters["rope_type"] == "linear"
    assert config.rope_parameters["factor"] == 2.0
    longrope = {"llama.rope.scaling.type": "longrope"}
    with pytest.raises(UnsupportedModelError, match="longrope"):
        open_checkpoint(str(write_gguf(tmp_path / "b.gguf", changes=longrope)))


def test_transposed_weights_are_no_codes(tmp_path: Path) -> None:
    """GPT-2's matrices lie input first in transformers: values are loaded, codes are not."""
    model = gpt2()
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.GPT2, 1)
    tensors = {}
    for name, parameter in model.named_parameters():
        stem, _, kind = name.rpartition(".")
        values = parameter.detach().numpy()
        transposed = values.ndim == 2 and ".h." in name
        tensors[f"{names.get_name(stem)}.{kind}"] = np.ascontiguousarray(
            values.T if transposed else values
        )
    changes = {
        "gpt2.block_count": 1,
        "gpt2.embedding_length": 32,
        "gpt2.attention.head_count": 2,
        "gpt2.context_length": 64,
        "gpt2.attention.layer_norm_epsilon": 1e-5,
    }
    changes |= {"tokenizer.ggml.pre": "gpt-2"}
    types = {"weight": Type.Q8_0}
    norms = {"norm": Type.F32, "position": Type.F32, "bias": Type.F32}
    path = write_gguf(tmp_path / "a.gguf", norms | types, changes, tensors, arch="gpt2")
    checkpoint = open_checkpoint(str(path))
    name = "transformer.h.0.attn.c_attn.weight"
    assert checkpoint.info(name).shape == (32, 96)
    kept = model.state_dict()[name].numpy()
    step = np.abs(kept).max() / 127
    np.testing.assert_allclose(checkpoint.load(name), kept, rtol=0, atol=step)
    assert checkpoint.quantized(name) is None
    assert checkpoint.quantized("transformer.wte.weight") is not None


def test_truncated_and_damaged_files(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a.gguf")
    whole = path.read_bytes()
    header = whole.index(b"general.architecture")
    damaged = bytearray(whole)
    damaged[header - 8 : header] = struct.pack("<Q", 2**60)  # the length of the first key
    for broken in (whole[:-64], whole[: len(whole) // 8], whole[:6], b"", bytes(damaged)):
        path.write_bytes(broken)
        with pytest.raises(CheckpointError, match=r"a\.gguf is not a readable GGUF file"):
            open_checkpoint(str(path))
    far = bytearray(whole)
    place = whole.index(b"blk.0.attn_q.weight") + len(b"blk.0.attn_q.weight")
    place += 4 + 2 * 8 + 4  # how many extents, both of them, the type
    far[place : place + 8] = struct.pack("<Q", 2**64 - 32)
    path.write_bytes(far)
    with pytest.raises(CheckpointError, match=r"not a readable GGUF file \(overflow"):
        open_checkpoint(str(path))
    empty = bytearray(whole)
    place = whole.index(b"blk.0.attn_q.weight") + len(b"blk.0.attn_q.weight") + 4  # its extents
    empty[place : place + 8] = bytes(8)
    path.write_bytes(empty)
    with pytest.raises(CheckpointError, match=r"attn_q.weight has the shape \(64, 0\)"):
        open_checkpoint(str(path))
    path.write_bytes(b"GGML" + whole[4:])
    with pytest.raises(CheckpointError, match="magic invalid"):
        open_checkpoint(str(path))


@pytest.mark.parametrize("kind", [Type.F16, Type.Q8_0])
def test_values_that_are_no_numbers(tmp_path: Path, kind: Type) -> None:
    path = write_gguf(tmp_path / "a.gguf", {"blk.0.ffn_down.weight": kind})
    tensor = read_gguf(path).tensors["blk.0.ffn_down.weight"]
    data = bytearray(path.read_bytes())
    data[tensor.offset : tensor.offset + 2] = np.float16("inf").tobytes()
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"ffn_down.weight holds infinite values or none"):
        read_gguf(path).values("blk.0.ffn_down.weight")


def test_unknown_and_unreadable_types(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a.gguf")
    name = "blk.0.attn_v.weight"
    _store_raw(path, name, Type.I32, np.zeros(0, np.uint8))
    with pytest.raises(UnsupportedModelError, match=r"attn_v\.weight is stored as I32"):
        open_checkpoint(str(path)).load("model.layers.0.self_attn.v_proj.weight")
    _store_raw(path, name, 999, np.zeros(0, np.uint8))  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match=r"999\)? is not a valid GGMLQuantizationType"):
        open_checkpoint(str(path))


def without(name: str) -> dict[str, Any]:
    return {"tensors": {key: value for key, value in stored_weights().items() if key != name}}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"arch": "no_such"}, UnsupportedModelError, "architecture 'no_such'"),
        (without("blk.1.ffn_up.weight"), CheckpointError, r"lacks model\.layers\.1\.mlp\.up_proj"),
        (
            {"tensors": stored_weights() | {"blk.0.attn_q.bias": np.zeros(64, np.float32)}},
            UnsupportedModelError,
            r"holds blk\.0\.attn_q\.bias, which transformers' llama model has no place",
        ),
        (
            {"changes": {"llama.feed_forward_length": 128}},
            UnsupportedModelError,
            r"as \(96, 64\), but transformers' llama model wants \(128, 64\)",
        ),
    ],
)
def test_files_that_are_no_such_model(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        open_checkpoint(str(write_gguf(tmp_path / "a.gguf", **changes)))


def test_a_model_cut_into_files(tmp_path: Path) -> None:
    pieces = write_cut(tmp_path)
    assert len(pieces) > 2
    for first in (pieces[0], pieces[1]):  # whichever is given
        checkpoint = open_checkpoint(str(first))
        expected = dict(llama().named_parameters())
        assert sorted(checkpoint.names()) == sorted(expected)
        for name, parameter in expected.items():
            np.testing.assert_array_equal(checkpoint.load(name), parameter.detach().numpy())


def test_an_absurd_number_of_pieces(tmp_path: Path) -> None:
    model = tmp_path / "model-00001-of-00002.gguf"
    for number in (2**31, "many"):
        writer = gguf.GGUFWriter(str(model), "llama")
        add = writer.add_string if isinstance(number, str) else writer.add_uint32
        add("split.count", number)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        with pytest.raises(CheckpointError, match=f"{number}"):
            open_checkpoint(str(model))


def test_a_piece_that_is_missing_or_renamed(tmp_path: Path) -> None:
    first, second, *_ = write_cut(tmp_path)
    second.rename(tmp_path / "other.gguf")
    with pytest.raises(CheckpointError, match=rf"{second.name} is missing beside it"):
        open_checkpoint(str(first))
    with pytest.raises(CheckpointError, match="give them back their names"):
        open_checkpoint(str(tmp_path / "other.gguf"))
