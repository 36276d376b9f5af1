"""Checkpoints on the Hugging Face hub, or a mirror that HF_ENDPOINT names.

huggingface_hub reads HF_ENDPOINT, HF_TOKEN and HF_HOME itself, keeps what it fetched and resumes
what was cut off.
"""

from __future__ import annotations

import re
from pathlib import Path

import httpx
from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from compiler.checkpoint.base import one_line
from compiler.checkpoint.directory import INDEX, SAFETENSORS, TORCH
from compiler.errors import CheckpointError

_ID = re.compile(r"(?P<repo>[\w.-]+(/[\w.-]+)?)(:(?P<file>[^:]+\.gguf))?")
_PLAIN = (  # everything but weights that a checkpoint may need
    "config.json",
    "generation_config.json",
    "README.md",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
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
        commit, listed = _list(repo, revision)
        wanted = [file] if file else _wanted(repo, listed)
        if file and file not in listed:
            found = ", ".join(name for name in listed if name.endswith(".gguf")) or "none"
            raise CheckpointError(f"{repo} has no file {file}; its GGUF files: {found}")
        folder = snapshot_download(repo, revision=commit, allow_patterns=wanted)
    except (httpx.TransportError, OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
        folder, commit = _cached(repo, revision, error)
    except (HfHubHTTPError, HFValidationError, EntryNotFoundError) as error:
        raise CheckpointError(_explain(repo, revision, error)) from error
    path = Path(folder) / file if file else Path(folder)
    if not path.exists():
        raise CheckpointError(f"{repo}: {file} was never fetched; connect to the network once")
    return path, commit


def _list(repo: str, revision: str | None) -> tuple[str, list[str]]:
    """The commit behind a revision and the names of its files."""
    info = HfApi().model_info(repo, revision=revision)
    return info.sha or revision or "main", [entry.rfilename for entry in info.siblings or []]


def _wanted(repo: str, listed: list[str]) -> list[str]:
    """The files to fetch: plain ones, and the weights of one kind."""
    for kind in (SAFETENSORS, TORCH):
        stem, suffix = kind.rsplit(".", 1)
        part = re.compile(rf"{re.escape(stem)}-\d+-of-\d+\.{suffix}")
        whole = [name for name in listed if name == kind]
        cut = [name for name in listed if name == kind + INDEX or part.fullmatch(name)]
        if whole or cut:
            return [name for name in listed if name in _PLAIN] + (whole or cut)
    gguf = [name for name in listed if name.endswith(".gguf")]
    hint = f"name one of its GGUF files, as in {repo}:{gguf[0]}" if gguf else "choose another"
    raise CheckpointError(f"{repo} holds neither {SAFETENSORS} nor {TORCH}: {hint}")


def _cached(repo: str, revision: str | None, cause: Exception) -> tuple[str, str]:
    """The snapshot of an earlier fetch, whose folder is named by its commit."""
    try:
        folder = snapshot_download(repo, revision=revision, local_files_only=True)
    except (LocalEntryNotFoundError, OSError) as error:
        raise CheckpointError(
            f"{repo} cannot be fetched from {constants.ENDPOINT} ({one_line(cause)}) and is not "
            "in the cache: check the network, HF_ENDPOINT and HF_HUB_OFFLINE, or give a local path"
        ) from error
    return folder, Path(folder).name


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
