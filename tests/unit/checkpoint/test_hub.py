"""Hub ids, against a server of our own. Each runs in its own process: huggingface_hub reads
HF_ENDPOINT and the like once, when it is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from compiler.checkpoint.hub import parse_hub_id
from tests.unit.checkpoint.gguf_writer import write_cut, write_gguf
from tests.unit.checkpoint.hub_server import COMMIT, Hub, serve
from tests.unit.checkpoint.test_mlc import save
from tests.unit.checkpoint.tiny import llama, write_tokenizer

pytestmark = pytest.mark.slow  # each process imports torch anew

ROOT = Path(__file__).parents[3]
SCRIPT = """
import sys
from compiler.checkpoint import open_checkpoint
from compiler.errors import CheckpointError
for source, revision in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        checkpoint = open_checkpoint(source, revision or None)
        print(checkpoint.label, len(checkpoint.names()), checkpoint.tokenizer.stop_tokens)
    except CheckpointError as error:
        print("CheckpointError:", error)
"""


def opened(url: str, cache: Path, *sources: str, **environment: str) -> str:
    """What the script prints, a line each, about hub ids, each followed by its revision or ""."""
    hidden = ("HF_HUB_OFFLINE", "HF_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
    inherited = {key: value for key, value in os.environ.items() if key not in hidden}
    settings = {"HF_ENDPOINT": url, "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, *sources],
        env={**inherited, **settings, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A model with weights of both kinds, a GGUF file and things nobody needs."""
    directory = tmp_path / "repository"
    directory.mkdir()
    model = llama()
    model.save_pretrained(directory)
    torch.save(model.state_dict(), directory / "pytorch_model.bin")
    write_tokenizer(directory)
    write_gguf(directory / "tiny.gguf")
    (directory / "README.md").write_text("---\nlicense: mit\n---\n")
    (directory / "training.log").write_text("long")
    return directory


def test_only_what_is_needed_is_fetched_once(repository: Path, tmp_path: Path) -> None:
    expected = f"org/tiny@{COMMIT} 20 [258, 259]"
    with serve(repository) as hub:
        assert opened(hub.url, tmp_path, "org/tiny", "") == expected
        assert sorted(hub.fetched) == [
            "README.md",
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
        ]
        hub.fetched.clear()
        assert opened(hub.url, tmp_path, "org/tiny", "main", HF_TOKEN="hf_secret") == expected
        assert hub.fetched == []
        assert hub.tokens == {"Bearer hf_secret"}
    assert (
        opened(hub.url, tmp_path, "org/tiny", "") == expected
    )  # the hub is gone, the cache is not
    assert opened(hub.url, tmp_path, "org/tiny", "", HF_HUB_OFFLINE="1") == expected


def test_torch_files_are_fetched_where_there_is_nothing_better(
    repository: Path, tmp_path: Path
) -> None:
    (repository / "model.safetensors").unlink()
    with serve(repository) as hub:
        assert opened(hub.url, tmp_path, "org/tiny", "").startswith(f"org/tiny@{COMMIT} 21 ")
        assert "pytorch_model.bin" in hub.fetched


def test_weights_for_mlc(tmp_path: Path) -> None:
    repository = tmp_path / "mlc"
    repository.mkdir()
    save(repository)
    (repository / "unrelated.bin").write_bytes(b"x")
    with serve(repository) as hub:
        assert opened(hub.url, tmp_path, "org/tiny", "").startswith(f"org/tiny@{COMMIT} 12 ")
        assert sorted(hub.fetched) == [
            "mlc-chat-config.json",
            "ndarray-cache.json",
            *(f"params_shard_{number}.bin" for number in range(3)),
            "tokenizer.json",
            "tokenizer_config.json",
        ]


def test_gguf_file_of_a_repository(repository: Path, tmp_path: Path) -> None:
    with serve(repository) as hub:
        sources = ("org/tiny:tiny.gguf", "", "org/tiny:other.gguf", "main")
        found, missing = opened(hub.url, tmp_path, *sources).splitlines()
        assert found == f"org/tiny@{COMMIT}:tiny.gguf 20 [258, 259]"
        assert sorted(hub.fetched) == ["README.md", "tiny.gguf"]
        assert "no file other.gguf; its GGUF files: tiny.gguf" in missing
        for weights in ("model.safetensors", "pytorch_model.bin"):
            (repository / weights).unlink()
        assert "as in org/tiny:tiny.gguf" in opened(hub.url, tmp_path, "org/tiny", "")


def test_all_pieces_of_a_gguf_model_are_fetched(repository: Path, tmp_path: Path) -> None:
    pieces = [piece.name for piece in write_cut(repository)]
    with serve(repository) as hub:
        found = opened(hub.url, tmp_path, f"org/tiny:{pieces[0]}", "")
        assert found == f"org/tiny@{COMMIT}:{pieces[0]} 20 [258, 259]"
        assert sorted(hub.fetched) == ["README.md", *pieces]


REFUSALS = {
    ("org/gated", ""): "org/gated is gated: accept its terms",
    ("org/private", ""): "set HF_TOKEN if it is private",
    ("org/absent", ""): "org/absent is neither a file or folder here nor a repository",
    ("org/tiny", "v9"): "org/tiny has no revision 'v9'",
}


def test_refusals_are_one_line_with_the_next_step(repository: Path, tmp_path: Path) -> None:
    with serve(repository) as hub:
        printed = opened(hub.url, tmp_path, *(part for pair in REFUSALS for part in pair))
    lines = printed.splitlines()
    assert len(lines) == len(REFUSALS)
    for line, message in zip(lines, REFUSALS.values(), strict=True):
        assert line.startswith("CheckpointError:")
        assert message in line


def test_no_network(tmp_path: Path) -> None:
    with serve(tmp_path) as hub:
        gone: Hub = hub
    printed = opened(gone.url, tmp_path, "org/tiny", "")
    assert printed.startswith(f"CheckpointError: org/tiny cannot be fetched from {gone.url}")
    assert "check the network" in printed


def test_hub_ids() -> None:
    assert parse_hub_id("org/name") == ("org/name", None)
    assert parse_hub_id("gpt2") == ("gpt2", None)
    assert parse_hub_id("org/name:sub/file.gguf") == ("org/name", "sub/file.gguf")
    for no_id in ("a/b/c", "org/name:file.bin", "org/na me", "", "https://example.org/x"):
        assert parse_hub_id(no_id) is None
