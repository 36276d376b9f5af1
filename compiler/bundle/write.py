"""Writes a bundle aside and renames it into place: a reader never sees half of one."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal

from compiler.bundle.codec import to_json
from compiler.bundle.names import NAME
from compiler.bundle.schema import SHARD_BYTES, FileEntry, Manifest, Scheme, Span, Tensor, Tokenizer
from compiler.bundle.shards import Data, ShardWriter, hashed_name
from compiler.errors import BundleError

MANIFEST = "manifest.json"
STALE_SECONDS = 24 * 3600  # a build that wrote nothing for a day was killed


class BundleWriter:
    """Collects a bundle's files; nothing appears at `target` before `finish`.

    ::

        with BundleWriter(Path("models/tiny"), expected_bytes=90_000_000) as bundle:
            bundle.add_tensor("embed", shape=[512, 64], scheme=scheme, layout="blocked",
                              data=packed, parts={"codes": Span("", 0, 1024)})
            kernels = bundle.add_file("kernels", "f32", ".wgsl", text)
            plan = bundle.add_file("plans", "f32", ".json", to_json(plan))
            tokenizer = bundle.add_tokenizer(tokenizer_json, tokenizer_config_json)
            bundle.finish(Manifest(..., tokenizer=tokenizer, tensors={}, files={}))

    Leaving the block without `finish` removes what was written.
    """

    def __init__(self, target: Path, expected_bytes: int | None = None) -> None:
        self.target = target.absolute()
        self._expected = expected_bytes
        self._files: dict[str, FileEntry] = {}
        self._tensors: dict[str, Tensor] = {}
        self._finished = False

    def __enter__(self) -> BundleWriter:
        with self._translated():
            _refuse_foreign(self.target)
            self.target.parent.mkdir(parents=True, exist_ok=True)
            _remove_stale(self.target)
            self._check_space()
            prefix, suffix = _aside(self.target)
            self._root = Path(
                tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=self.target.parent)
            )
            self._shards = ShardWriter(self._root)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._shards.close()  # may fail once more on a full disk
        except OSError:
            if self._finished:
                raise
        finally:
            if not self._finished:
                shutil.rmtree(self._root, ignore_errors=True)

    def add_tensor(
        self,
        name: str,
        *,
        shape: list[int],
        scheme: Scheme,
        layout: Literal["plain", "blocked"],
        data: Data,
        parts: dict[str, Span],
    ) -> None:
        """Appends one packed tensor to the shards; `parts` are ranges of `data`, file ""."""
        with self._translated():
            self._shards.append(name, data)
        size = memoryview(data).nbytes
        self._tensors[name] = Tensor(shape, scheme, layout, size, parts, shards=[])

    def add_file(self, folder: str, stem: str | None, suffix: str, data: bytes) -> str:
        """Writes `folder/[stem-]<hash><suffix>` and returns that name."""
        entry = FileEntry(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        hashed = hashed_name(entry.sha256)
        name = f"{folder}/{hashed if stem is None else f'{stem}-{hashed}'}{suffix}"
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r}: no reader takes a file of this name")
        with self._translated():
            path = self._root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self._files[name] = entry
        return name

    def add_tokenizer(self, model: bytes, config: bytes) -> Tokenizer:
        """Stores tokenizer.json (in parts when larger than one file may be) and its config."""
        parts = [model[start : start + SHARD_BYTES] for start in range(0, len(model), SHARD_BYTES)]
        return Tokenizer(
            model=[self.add_file("tokenizer", None, ".json", part) for part in parts],
            config=self.add_file("tokenizer", None, ".json", config),
        )

    def finish(self, manifest: Manifest) -> Manifest:
        """Writes `manifest` with tensors and files filled in, and puts the bundle at `target`."""
        with self._translated():
            spans, shards = self._shards.finish()
            complete = dataclasses.replace(
                manifest,
                tensors={
                    name: dataclasses.replace(tensor, shards=spans[name])
                    for name, tensor in self._tensors.items()
                },
                files={**self._files, **shards},
            )
            (self._root / MANIFEST).write_bytes(to_json(complete))
            self._root.chmod(0o755)  # mkdtemp's 0700 would hide it from a web server
            _replace(self.target, self._root)
        self._finished = True
        return complete

    def _check_space(self) -> None:
        if self._expected is None:
            return
        if shutil.disk_usage(self.target.parent).free < self._expected:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turns what the file system refuses into an error that says what to do."""
        try:
            yield
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise BundleError(self._no_space()) from error
            raise BundleError(
                f"cannot write the bundle {self.target}: {error.strerror or error}; "
                "choose another folder with -o"
            ) from error

    def _no_space(self) -> str:
        needed = "more space"
        if self._expected is not None:
            free = shutil.disk_usage(self.target.parent).free
            needed = f"about {_megabytes(self._expected)} ({_megabytes(free)} are free)"
        return (
            f"the disk is full: the bundle {self.target} needs {needed}; "
            "free some, or choose another folder with -o"
        )


def _megabytes(count: int) -> str:
    return f"{max(count / 1e6, 0.1):,.1f} MB"


def _aside(target: Path) -> tuple[str, str]:
    """Prefix and suffix of the hidden folder a build of `target` writes into."""
    return f".{target.name}.", ".partial"


def _refuse_foreign(target: Path) -> None:
    """Only a bundle (or an empty folder) is ever replaced: `-o ~` must not cost a home."""
    if target.is_dir() and ((target / MANIFEST).is_file() or not any(target.iterdir())):
        return
    if target.exists():
        raise BundleError(
            f"{target} exists and is no bundle; choose another folder with -o or remove it"
        )


def _remove_stale(target: Path) -> None:
    """Removes what killed builds of the same bundle left beside it."""
    prefix, suffix = _aside(target)
    for entry in target.parent.glob(f"{prefix}*{suffix}"):
        times = [entry.stat().st_mtime, *(path.stat().st_mtime for path in entry.rglob("*"))]
        if time.time() - max(times) > STALE_SECONDS:
            shutil.rmtree(entry, ignore_errors=True)


def _replace(target: Path, complete: Path) -> None:
    """Puts `complete` at `target`; an older bundle is moved back if that fails.

    A folder cannot be renamed over a non-empty one, so there is an instant without a bundle; a
    server that reads just then answers 404 for one file, never half a file.
    """
    if not target.exists():
        complete.rename(target)
        return
    prefix, suffix = _aside(target)
    old = Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=target.parent)) / "old"
    target.rename(old)
    try:
        complete.rename(target)
    except OSError:
        old.rename(target)
        raise
    finally:
        shutil.rmtree(old.parent, ignore_errors=True)
