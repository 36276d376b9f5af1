"""Opens a bundle on disk and checks that it is what its manifest says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compiler.bundle.codec import manifest_from_json, plan_from_json
from compiler.bundle.names import bundle_file
from compiler.bundle.schema import Manifest, Plan, Span, Variant
from compiler.bundle.write import MANIFEST
from compiler.errors import BundleError


@dataclass(frozen=True)
class Bundle:
    """A bundle's folder, its manifest and one plan per variant.

    ::

        bundle = Bundle.open(Path("models/tiny"))
        bundle.verify_files()
        packed = bundle.read_tensor_bytes("embed")
    """

    path: Path
    manifest: Manifest
    plans: dict[str, Plan]

    @staticmethod
    def open(path: Path) -> Bundle:
        """Reads manifest and plans; names the first thing that is missing or does not fit."""
        file = bundle_file(path, MANIFEST)
        if not file.is_file():
            raise BundleError(
                f"{path} is no bundle: it holds no {MANIFEST}; make one with compile-model"
            )
        manifest = manifest_from_json(_read(path, MANIFEST), str(file))
        _check_names(path, manifest)
        plans = {
            name: plan_from_json(_read(path, variant.plan), str(path / variant.plan))
            for name, variant in manifest.variants.items()
        }
        return Bundle(path, manifest, plans)

    def verify_files(self) -> None:
        """Reads every file once; raises at the first that is missing or altered."""
        for name, entry in self.manifest.files.items():
            file = bundle_file(self.path, name)
            try:
                with file.open("rb") as stream:
                    found = hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError as error:
                raise _unreadable(file, error) from error
            if found != entry.sha256:
                raise BundleError(
                    f"{file} was altered: its SHA-256 is {found}, the manifest says "
                    f"{entry.sha256}; compile the model again"
                )

    def read_tensor_bytes(self, name: str) -> bytes:
        """The packed bytes of a tensor, its parts at the offsets the manifest gives."""
        tensor = self.manifest.tensors.get(name)
        if tensor is None:
            raise BundleError(f"{self.path} holds no tensor {name!r}")
        data = b"".join(self._span(span) for span in tensor.shards)
        if len(data) != tensor.bytes:
            raise BundleError(
                f"{self.path}: tensor {name} has {len(data)} bytes, the manifest says "
                f"{tensor.bytes}; compile the model again"
            )
        return data

    def read_kernels(self, variant: Variant) -> bytes:
        """The kernel file of a variant."""
        return _read(self.path, variant.kernels)

    def _span(self, span: Span) -> bytes:
        file = bundle_file(self.path, span.file)
        try:
            with file.open("rb") as stream:
                stream.seek(span.offset)
                return stream.read(span.bytes)
        except OSError as error:
            raise _unreadable(file, error) from error


def _read(bundle: Path, name: str) -> bytes:
    file = bundle_file(bundle, name)
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: OSError) -> BundleError:
    return BundleError(f"{file}: {error.strerror}; compile the model again")


def _check_names(path: Path, manifest: Manifest) -> None:
    """Every file used is listed; the codec knows the names of those that are."""
    for name in _used(manifest):
        if name not in manifest.files:
            raise BundleError(
                f"{path / MANIFEST}: {name} is used but not listed in files; "
                "compile the model again"
            )


def _used(manifest: Manifest) -> Iterator[str]:
    yield from manifest.tokenizer.model
    yield manifest.tokenizer.config
    for variant in manifest.variants.values():
        yield from (variant.plan, variant.kernels)
        for tuned in variant.tuned.values():
            yield from (tuned.plan, tuned.kernels)
    for tensor in manifest.tensors.values():
        yield from (span.file for span in tensor.shards)
