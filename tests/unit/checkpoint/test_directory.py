"""Directories: every way weights are stored, and what is wrong with broken ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from compiler.checkpoint import Checkpoint, open_checkpoint
from compiler.checkpoint.directory import DirectoryCheckpoint
from compiler.checkpoint.sentence import around
from compiler.errors import CheckpointError, UnsupportedModelError
from tests.unit.checkpoint.tiny import ALPHABET, llama, write_tokenizer


def assert_holds(checkpoint: Checkpoint, state: dict[str, torch.Tensor]) -> None:
    """Every tensor of `state`, and no other, with its values as f32."""
    assert sorted(checkpoint.names()) == sorted(state)
    for name, tensor in state.items():
        values = checkpoint.load(name)
        assert values.dtype == np.float32
        assert checkpoint.info(name).shape == values.shape == tuple(tensor.shape)
        np.testing.assert_array_equal(values, tensor.to(torch.float32).numpy(), err_msg=name)
        assert checkpoint.quantized(name) is None


def untied(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state dict as files keep it: without the tied head."""
    return {k: v.detach() for k, v in model.state_dict().items() if k != "lm_head.weight"}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A tiny Llama in one safetensors file."""
    llama().save_pretrained(tmp_path)
    return tmp_path


def test_safetensors(saved: Path) -> None:
    with open_checkpoint(str(saved)) as checkpoint:
        assert_holds(checkpoint, untied(llama()))
        assert checkpoint.config.model_type == "llama"
        assert checkpoint.config.num_key_value_heads == 2
        info = checkpoint.info("model.embed_tokens.weight")
        assert (info.stored, info.bytes) == ("F32", 288 * 64 * 4)
        assert checkpoint.label == saved.name


def test_sharded_safetensors_in_bfloat16(tmp_path: Path) -> None:
    model = llama(tie_word_embeddings=False).to(torch.bfloat16)
    model.save_pretrained(tmp_path, max_shard_size="40kB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    with open_checkpoint(str(tmp_path)) as checkpoint:
        assert_holds(checkpoint, model.state_dict())
        info = checkpoint.info("lm_head.weight")
        assert (info.stored, info.bytes) == ("BF16", 288 * 64 * 2)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_torch_file(saved: Path, zipped: bool) -> None:
    (saved / "model.safetensors").unlink()
    state = {name: tensor.half() for name, tensor in untied(llama()).items()}
    torch.save(state, saved / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    with open_checkpoint(str(saved)) as checkpoint:
        assert_holds(checkpoint, state)
        info = checkpoint.info("model.norm.weight")
        assert (info.stored, info.bytes) == ("F16", 128)


def test_sharded_torch_files(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    state = untied(llama())
    names = sorted(state)
    parts = {"pytorch_model-00001-of-00002.bin": names[:5]}
    parts["pytorch_model-00002-of-00002.bin"] = names[5:]
    for file, held in parts.items():
        torch.save({name: state[name] for name in held}, saved / file)
    weight_map = {name: file for file, held in parts.items() for name in held}
    index = saved / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    with open_checkpoint(str(saved)) as checkpoint:
        assert_holds(checkpoint, state)
    (saved / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(CheckpointError, match=r"pytorch_model-00002-of-00002\.bin is missing"):
        open_checkpoint(str(saved))


def test_loaded_values_are_a_copy(saved: Path) -> None:
    checkpoint = open_checkpoint(str(saved))
    checkpoint.load("model.norm.weight")[:] = 7
    assert not (checkpoint.load("model.norm.weight") == 7).any()


def test_tokenizer_files(saved: Path) -> None:
    write_tokenizer(saved)
    files = open_checkpoint(str(saved)).tokenizer
    assert files.model_json == (saved / "tokenizer.json").read_bytes()
    assert files.config["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert files.special_tokens == {"bos_token": "<s>", "eos_token": "<|end|>"}
    assert files.chat_template == "{{ messages }}"
    assert files.stop_tokens == [258, 259]  # eos, and <|im_end|> because it is a known turn end


def test_chat_template_file_wins_and_named_templates_are_understood(saved: Path) -> None:
    write_tokenizer(saved)
    named = [{"name": "tools", "template": "T"}, {"name": "default", "template": "D"}]
    (saved / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    assert open_checkpoint(str(saved)).tokenizer.chat_template == "D"
    (saved / "chat_template.jinja").write_text("J")
    assert open_checkpoint(str(saved)).tokenizer.chat_template == "J"


def test_stop_tokens_of_the_generation_config(saved: Path) -> None:
    write_tokenizer(saved)
    (saved / "generation_config.json").write_text(json.dumps({"eos_token_id": [7, 3]}))
    assert open_checkpoint(str(saved)).tokenizer.stop_tokens == [3, 7, 258, 259]


def test_tokenizer_json_is_made_from_slow_files(saved: Path) -> None:
    tokens = [*ALPHABET, "he", "<|endoftext|>"]
    (saved / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (saved / "merges.txt").write_text("#version: 0.2\nh e\n")
    config = {"tokenizer_class": "GPT2Tokenizer", "eos_token": "<|endoftext|>"}
    (saved / "tokenizer_config.json").write_text(json.dumps(config))
    model = json.loads(open_checkpoint(str(saved)).tokenizer.model_json)["model"]
    assert (model["type"], model["vocab"]["he"]) == ("BPE", 256)


def test_missing_tokenizer_is_reported_when_asked_for(saved: Path) -> None:
    checkpoint = open_checkpoint(str(saved))
    with pytest.raises(CheckpointError, match=r"no tokenizer.json.*save_pretrained"):
        _ = checkpoint.tokenizer
    (saved / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match="is no tokenizer"):
        _ = checkpoint.tokenizer


def test_truncated_safetensors(saved: Path) -> None:
    file = saved / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read.*truncated"):
        open_checkpoint(str(saved))


def test_damaged_torch_files(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    file = saved / "pytorch_model.bin"
    torch.save(untied(llama()), file)
    whole = file.read_bytes()
    for broken in (whole[:-2000], whole[:1000], b"", b"version https://git-lfs"):
        file.write_bytes(broken)
        with pytest.raises(CheckpointError, match=r"pytorch_model\.bin cannot be read"):
            open_checkpoint(str(saved))


class Attack:
    """Unpickling this would run code."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("attacked"),))


def test_torch_files_run_no_code(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(saved)
    (saved / "model.safetensors").unlink()
    torch.save({"weight": Attack()}, saved / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="cannot be read"):
        open_checkpoint(str(saved))
    assert not (saved / "attacked").exists()
    torch.save({"model": {"weight": torch.zeros(1)}}, saved / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="more than a state_dict"):
        open_checkpoint(str(saved))


def test_incomplete_directories(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"holds no weights.*add the weights"):
        open_checkpoint(str(saved))
    (saved / "tiny.gguf").touch()
    with pytest.raises(CheckpointError, match=r"one of its GGUF files itself \(tiny.gguf\)"):
        open_checkpoint(str(saved))
    (saved / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no config.json"):
        open_checkpoint(str(saved))


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ("{", CheckpointError, "config.json is not readable JSON"),
        ("[]", CheckpointError, "config.json holds a list"),
        ('{"model_type": "no_such"}', UnsupportedModelError, "no_such"),
        (
            '{"model_type": "llama", "quantization_config": {"quant_method": "hqq"}}',
            UnsupportedModelError,
            "quantized with hqq",
        ),
    ],
)
def test_bad_configurations(
    tmp_path: Path, config: str, error: type[Exception], message: str
) -> None:
    (tmp_path / "config.json").write_text(config)
    save_file({"w": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(error, match=message):
        open_checkpoint(str(tmp_path))


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"weight_map": ["a"]}, r"weight_map is \['a'\], expected an object"),
        ({"weight_map": {"a": 5}}, "a is 5, expected a text"),
        ({"weight_map": None}, "holds no weights"),
        ("[" * 200_000, r"index\.json is not readable JSON"),
    ],
)
def test_damaged_indexes(saved: Path, index: Any, message: str) -> None:
    (saved / "model.safetensors").unlink()
    text = index if isinstance(index, str) else json.dumps(index)
    (saved / "model.safetensors.index.json").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(str(saved))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({5: torch.zeros(1)}, "more than a state_dict"),
        ({"w": torch.zeros(1).expand(10**12)}, r"4 bytes for w \(1000000000000,\), which takes 4"),
        ({"w": torch.eye(3).to_sparse()}, "holds w as a sparse, quantized or empty"),
        ({"w": torch.zeros(3, device="meta")}, "holds w as a sparse, quantized or empty"),
    ],
)
def test_torch_files_of_other_tensors(saved: Path, state: Any, message: str) -> None:
    (saved / "model.safetensors").unlink()
    torch.save(state, saved / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(str(saved))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("generation_config.json", '{"eos_token_id": "abc"}', "eos_token_id is 'abc'"),
        ("generation_config.json", '{"eos_token_id": [[1]]}', r"eos_token_id is \[1\]"),
        ("generation_config.json", '{"eos_token_id": Infinity}', "eos_token_id is inf"),
        ("generation_config.json", '{"eos_token_id": -4}', "eos_token_id is -4"),
        ("tokenizer_config.json", '{"chat_template": ["a"]}', r"chat_template is \['a'\]"),
        ("tokenizer_config.json", '{"chat_template": 5}', "chat_template is 5"),
        ("chat_template.jinja", "\udcff", "chat_template.jinja is no readable text"),
    ],
)
def test_damaged_tokenizer_files(saved: Path, file: str, content: str, message: str) -> None:
    write_tokenizer(saved)
    (saved / file).write_text(content, "utf-8", "surrogateescape")
    with pytest.raises(CheckpointError, match=message):
        _ = open_checkpoint(str(saved)).tokenizer


def test_minus_one_is_no_token(saved: Path) -> None:
    write_tokenizer(saved)
    (saved / "generation_config.json").write_text('{"eos_token_id": [-1, 7]}')
    assert open_checkpoint(str(saved)).tokenizer.stop_tokens == [7, 258, 259]


def test_code_of_a_checkpoint_is_never_run(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does transformers ask whether to."""
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    write_tokenizer(saved)
    (saved / "own.py").write_text(f"open({str(saved / 'ran')!r}, 'w')\nclass Own: ...")
    (saved / "tokenizer.json").unlink()
    settings = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", None]}}
    (saved / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match=r"no tokenizer\.json"):
        _ = open_checkpoint(str(saved)).tokenizer
    with pytest.raises(CheckpointError, match="has no tokenizer"):
        around(DirectoryCheckpoint(saved))
    config = {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}
    (saved / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnsupportedModelError, match=r"'own'\), and no code of a checkpoint is run"):
        open_checkpoint(str(saved))
    assert not (saved / "ran").exists()


def test_models_of_transformers_are_built_by_its_own_code(saved: Path) -> None:
    file = saved / "config.json"
    known = {"auto_map": {"AutoModelForCausalLM": "own.Own"}}
    file.write_text(json.dumps({**json.loads(file.read_text()), **known}))
    assert not hasattr(open_checkpoint(str(saved)).config, "auto_map")
