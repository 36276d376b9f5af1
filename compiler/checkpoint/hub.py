"""Checkpoints on the Hugging Face hub, or a mirror that HF_ENDPOINT names.

huggingface_hub reads HF_ENDPOINT, HF_TOKEN and HF_HOME itself, keeps what it fetched and resumes
what was cut off.
"""

from __future__ import annotations

import re
from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from compiler.checkpoint.base import one_line
from compiler.checkpoint.card import FILE
from compiler.checkpoint.directory import INDEX, SAFETENSORS, TORCH
from compiler.checkpoint.mlc_files import CONFIG, INDEXES
from compiler.errors import CheckpointError

_ID = re.compile(r"(?P<repo>[\w.-]+(/[\w.-]+)?)(:(?P<file>[^:]+\.gguf))?")
# HTTPError is the base of its HTTP client's own errors, whichever client a release uses.
_UNREACHABLE = (HTTPError, OfflineModeIsEnabled, LocalEntryNotFoundError)
_PLAIN = (  # everything but weights that a checkpoint may need
    "config.json",
    CONFIG,
    "generation_config.json",
    FILE,
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
)


def parse_hub_id(source: str) -> tuple[str, str | None] | None:
    """`repo` or `repo:file.gguf` -> (repo, file); None for text that can be no hub id."""
    match = _ID.fullmatch(source)
    return (match["repo"], match["file"]) if match else None


def download(repo: str, file: str | None, revision: str | None) -> tuple[Path, str]:
    """Fetch what a checkpoint needs: (directory or GGUF file, commit).

    Safetensors are preferred to .bin files, and nothing else is fetched. What was fetched before
    is used when the hub cannot be reached. Raises CheckpointError naming the repository and the
    next step.
    """
    try:
        listed = _list(repo, revision)
        wanted = [_pieces(file), FILE] if file else _wanted(repo, listed)
        if file and file not in listed:
            found = ", ".join(name for name in listed if name.endswith(".gguf")) or "none"
            raise CheckpointError(f"{repo} has no file {file}; its GGUF files: {found}")
        folder = snapshot_download(repo, revision=revision, allow_patterns=wanted)
    except (HfHubHTTPError, HFValidationError) as error:
        raise CheckpointError(_explain(repo, revision, error)) from error
    except _UNREACHABLE as error:
        folder = _cached(repo, file, revision, error)
    except OSError as error:
        raise CheckpointError(
            f"{repo} cannot be kept in {constants.HF_HUB_CACHE} ({one_line(error)}): "
            "free some space, or set HF_HOME to a folder elsewhere"
        ) from error
    snapshot = Path(folder)  # named by its commit
    path = snapshot / file if file else snapshot
    if not path.exists():
        raise CheckpointError(f"{repo}: {file} was never fetched; connect to the network once")
    return path, snapshot.name


def _pieces(file: str) -> str:
    """A pattern of all files of a GGUF model that is cut, given one of them."""
    return re.sub(r"-\d{5}(-of-\d{5}\.gguf)$", r"-?????\1", file)


def _list(repo: str, revision: str | None) -> list[str]:
    """The names of a repository's files."""
    info = HfApi().model_info(repo, revision=revision)
    return [entry.rfilename for entry in info.siblings or []]


def _wanted(repo: str, listed: list[str]) -> list[str]:
    """The files to fetch: plain ones, and the weights of one kind."""
    for kind in (SAFETENSORS, TORCH):
        stem, suffix = kind.rsplit(".", 1)
        part = re.compile(rf"{re.escape(stem)}-\d+-of-\d+\.{suffix}")
        whole = [name for name in listed if name == kind]
        cut = [name for name in listed if name == kind + INDEX or part.fullmatch(name)]
        if whole or cut:
            return [name for name in listed if name in _PLAIN] + (whole or cut)
    if CONFIG in listed:
        parts = [n for n in listed if n in INDEXES or n.startswith("params_shard_")]
        return [name for name in listed if name in _PLAIN] + parts
    gguf = [name for name in listed if name.endswith(".gguf")]
    hint = f"name one of its GGUF files, as in {repo}:{gguf[0]}" if gguf else "choose another"
    raise CheckpointError(f"{repo} holds neither {SAFETENSORS} nor {TORCH}: {hint}")


def _cached(repo: str, file: str | None, revision: str | None, cause: Exception) -> str:
    """The snapshot that an earlier fetch left behind."""
    # Whatever these patterns leave out is not missed; .bin files lie in the same folder.
    wanted = (
        [_pieces(file), FILE]
        if file
        else [*_PLAIN, "model*.safetensors*", *INDEXES, "params_shard_*"]
    )
    try:
        return snapshot_download(
            repo, revision=revision, allow_patterns=wanted, local_files_only=True
        )
    except (LocalEntryNotFoundError, OSError) as error:
        raise CheckpointError(
            f"{repo} cannot be fetched from {constants.ENDPOINT} ({one_line(cause)}) and is not "
            "in the cache: check the network, HF_ENDPOINT and HF_HUB_OFFLINE, or give a local path"
        ) from error


def _explain(repo: str, revision: str | None, error: Exception) -> str:
    """What went wrong and what to do, for one line on a terminal."""
    if isinstance(error, GatedRepoError):
        return (
            f"{repo} is gated: accept its terms on {constants.ENDPOINT}/{repo}, then set HF_TOKEN "
            "to a token of that account"
        )
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"{repo} is neither a file or folder here nor a repository on {constants.ENDPOINT} "
            "that you may read: check its name, and set HF_TOKEN if it is private"
        )
    if isinstance(error, RevisionNotFoundError):
        return f"{repo} has no revision {revision!r}: name one of its branches, tags or commits"
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status in (401, 403):
        return f"{repo} may not be read (status {status}): set HF_TOKEN to a token that may"
    return f"{repo} cannot be fetched from {constants.ENDPOINT} ({one_line(error)}): try again"
