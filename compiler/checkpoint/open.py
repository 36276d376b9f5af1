"""From what a person gives to a Checkpoint."""

from __future__ import annotations

from pathlib import Path

from compiler.checkpoint.base import Checkpoint
from compiler.checkpoint.directory import DirectoryCheckpoint
from compiler.checkpoint.gguf import GgufCheckpoint
from compiler.checkpoint.hub import download, parse_hub_id
from compiler.checkpoint.mlc import MlcCheckpoint
from compiler.checkpoint.mlc_files import is_mlc
from compiler.checkpoint.own import OwnCheckpoint, is_own
from compiler.errors import CheckpointError, UsageError

_FILES = (".gguf", ".safetensors", ".bin", ".pt", ".pth", ".ckpt")  # never the end of a hub id


def open_checkpoint(
    source: str, revision: str | None = None, tokenizer: Path | None = None
) -> Checkpoint | OwnCheckpoint:
    """Open a .gguf file, a directory of Hugging Face's or MLC's making, a hub id (`org/repo`,
    `org/repo:file.gguf`), or a user's own PyTorch: a .pt2 file, or `module.py:make_model`, which
    runs that file.

    `revision` is a branch, tag or commit of a hub id, `tokenizer` the folder of own PyTorch's.
    Raises CheckpointError when the source is missing, damaged or incomplete, UnsupportedModelError
    when it is of a kind that cannot be read, UsageError for an option that is not for the source.
    """
    if is_own(source):
        if revision is not None:
            raise UsageError(f"--revision {revision} is for hub ids, and {source} is a local path")
        return OwnCheckpoint(source, tokenizer)
    if tokenizer is not None:
        raise UsageError(f"--tokenizer {tokenizer} is for your own PyTorch; {source} brings one")
    path = Path(source).expanduser()
    try:
        if path.exists():
            if revision is not None:
                message = f"--revision {revision} is for hub ids, and {source} is a local path"
                raise UsageError(message)
            return _open_path(path)
    except OSError as error:
        raise CheckpointError(f"cannot read {source}: {error.strerror or error}") from error
    hub_id = parse_hub_id(source)
    looks_local = source.startswith((".", "/", "~")) or "\\" in source
    if hub_id is None or looks_local or (hub_id[1] is None and source.endswith(_FILES)):
        raise CheckpointError(f"{source} does not exist: check the path, or give a hub id")
    repo, file = hub_id
    fetched, commit = download(repo, file, revision)
    return _open_path(fetched, f"{repo}@{commit}" + (f":{file}" if file else ""))


def _open_path(path: Path, label: str = "") -> Checkpoint:
    if path.is_dir() and is_mlc(path):
        return MlcCheckpoint(path, label)
    if path.is_dir():
        return DirectoryCheckpoint(path, label)
    with path.open("rb") as opened:
        magic = opened.read(4)
    if path.suffix == ".gguf" or magic == b"GGUF":
        return GgufCheckpoint(path, label)
    raise CheckpointError(
        f"{path} is not a GGUF file: for safetensors or PyTorch weights give the directory that "
        "also holds config.json"
    )
