"""A site as a folder that any static host can serve.

The folder is never half a site: everything is made and checked inside it under a name of its own,
then moved into place, index.html last. What it leads to is named by its content, so until then the
site before goes on; its assets stay for one export more, for pages that are open.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from compiler.bundle.codec import manifest_from_json
from compiler.bundle.names import bundle_file
from compiler.bundle.schema import FileEntry
from web.built import Built
from web.compression import twins
from web.errors import SiteError
from web.files import HASHED
from web.hosting import hosting_files
from web.inventory import INVENTORY, PARTIAL, Inventory
from web.models import Model
from web.site import Site

LARGEST = 24 << 20  # bytes: every static host takes as much
PIECE = 1 << 20


@dataclass(frozen=True)
class Exported:
    """What came of it."""

    files: int
    bytes: int
    kept: int  # files that only pages of the export before still need


def export_site(site: Site, folder: Path) -> Exported:
    """Writes the site to `folder`, which is new, empty, or an earlier export.

    ::

        export_site(Site(Models(Path("models")), Built(find_page()), SiteOptions()), Path("out"))
    """
    before = Inventory.of(folder)
    with _translated(folder), _aside(folder) as partial:
        writer = Writer(partial)
        documents = site.documents()
        for path, data in documents.items():
            writer.write(path, data)
        _add_build(writer, site.built, documents)
        if site.options.models_url is None:
            for model in site.models.list():
                _add_bundle(writer, model, site.models.folder / model.slug)
        for path, data in hosting_files(site).items():
            writer.write(path, data)
        version = site.built.app().version
        after = Inventory(version, writer.files, _kept(folder, before, writer.files))
        _put_in_place(folder, partial, before, after)
    total = sum(entry.bytes for entry in after.all.values())
    return Exported(len(after.all), total, len(after.kept))


class Writer:
    """Collects files below one folder, with their sizes and hashes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, FileEntry] = {}

    def write(self, path: str, data: bytes) -> None:
        """A file and its precompressed twins."""
        for name, content in {path: data, **twins(path, data)}.items():
            if len(content) > LARGEST:
                raise SiteError(
                    f"{name} has {len(content) / 2**20:.1f} MiB; hosts take no file over "
                    f"{LARGEST >> 20} MiB. Compile the model again: bundles are cut to that size"
                )
            file = self._place(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            self.files[name] = FileEntry(len(content), hashlib.sha256(content).hexdigest())

    def _place(self, name: str) -> Path:
        """A second line: readers of manifests and of builds have refused such names already."""
        file = self.root / name
        if not file.resolve().is_relative_to(self.root.resolve()):
            raise SiteError(f"{name!r} leads out of the folder of the export")
        return file


def _add_build(writer: Writer, built: Built, documents: dict[str, bytes]) -> None:
    """What the build has beside the documents."""
    for path, entry in built.app().files.items():
        if path in documents:
            continue
        data = built.read(path)
        if _sha256(data) != entry.sha256:
            raise SiteError(f"{path} is not what was built: run `make build`, then export again")
        writer.write(path, data)


def _add_bundle(writer: Writer, model: Model, bundle: Path) -> None:
    """Copied, never linked: each file is read once, which checks it against the manifest, and what
    is done later to a bundle in place cannot reach the site."""
    data = (bundle / "manifest.json").read_bytes()
    if f"sha256-{_sha256(data)}" != model.integrity:
        raise SiteError(f"{bundle} was compiled anew in this moment: export again")
    writer.write(f"models/{model.slug}/manifest.json", data)
    for name, entry in manifest_from_json(data, str(bundle)).files.items():
        try:
            content = bundle_file(bundle, name).read_bytes()
        except FileNotFoundError as error:
            raise SiteError(f"{bundle / name} is missing: compile the model again") from error
        if _sha256(content) != entry.sha256:
            raise SiteError(f"{bundle / name} is damaged: compile the model again")
        writer.write(f"models/{model.slug}/{name}", content)


def _kept(
    folder: Path, before: Inventory | None, files: dict[str, FileEntry]
) -> dict[str, FileEntry]:
    """Of the export before, what a page that is open may yet ask for: all that is named by its
    content, but for weights, which a page that runs has, and which are large."""
    if before is None:
        return {}
    # Where that one was broken off, pages are open that the one before it led to.
    candidates = before.all if before.unfinished else before.files
    return {
        path: entry
        for path, entry in candidates.items()
        if path not in files and HASHED.match(path) and "/weights/" not in path
        if _is_intact(folder / path, entry)
    }


def _put_in_place(folder: Path, partial: Path, before: Inventory | None, after: Inventory) -> None:
    """Listed before they are there and after they are gone, all files are known to be ours."""
    old = before.all if before else {}
    _list(folder, partial, after.including(old))
    for path in sorted(after.files, key=_turn):
        target = folder / path
        if old.get(path) == after.files[path] and _is_intact(target, after.files[path]):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        (partial / path).replace(target)
    for path in old.keys() - after.all.keys():
        with suppress(FileNotFoundError, NotADirectoryError):  # somebody was here before
            (folder / path).unlink()
        _remove_empty(folder, (folder / path).parent)
    _list(folder, partial, after)


def _list(folder: Path, partial: Path, inventory: Inventory) -> None:
    """At once: half a list is nobody's."""
    (partial / INVENTORY).write_bytes(inventory.to_json())
    (partial / INVENTORY).replace(folder / INVENTORY)


def _turn(path: str) -> tuple[bool, bool, str]:
    """What is named by its content first; the page, which leads to all else, last."""
    return path.startswith("index.html"), not HASHED.match(path), path


def _is_intact(file: Path, entry: FileEntry) -> bool:
    """Whether it may stay, with the time that servers make its tag from."""
    return file.is_file() and file.stat().st_size == entry.bytes and _hash(file) == entry.sha256


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _remove_empty(root: Path, folder: Path) -> None:
    while folder != root:
        try:
            folder.rmdir()
        except FileNotFoundError:  # somebody has removed it already
            pass
        except OSError:  # something is left in it
            return
        folder = folder.parent


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """An empty folder inside `folder`, so that files move without being copied."""
    created = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / PARTIAL
    try:
        partial.mkdir()
    except FileExistsError as error:
        raise SiteError(
            f"{partial} exists: another export is under way. If none is, one was killed: "
            "remove that folder and export again"
        ) from error
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if created and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise SiteError(f"cannot export to {folder}: {place}{error.strerror or error}") from error
