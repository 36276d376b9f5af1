"""files.json: every file of an exported site, with size and SHA-256; the proof that it is one."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from compiler.bundle.schema import FileEntry
from web.errors import SiteError

INVENTORY = "files.json"
PARTIAL = ".webkiln-export"  # where files wait until all of them are there
MADE_BY = "webkiln export 1"
HARMLESS = re.compile(r"[^/]+(/[^/]+)*")


@dataclass(frozen=True)
class Inventory:
    """What one export consists of."""

    version: str  # of the build
    files: dict[str, FileEntry]  # by path below the site
    kept: dict[str, FileEntry]  # of the export before, for pages that are open
    unfinished: bool = False  # it was taking the place of another: some of these are not there

    @property
    def all(self) -> dict[str, FileEntry]:
        """Every file but the listing itself."""
        return {**self.kept, **self.files}

    def including(self, others: dict[str, FileEntry]) -> Inventory:
        """While one export takes the place of another."""
        return replace(self, kept={**others, **self.kept}, unfinished=True)

    def to_json(self) -> bytes:
        """As a file, the same for the same site."""

        def entries(files: dict[str, FileEntry]) -> dict[str, Any]:
            return {path: asdict(files[path]) for path in sorted(files)}

        content = {"made_by": MADE_BY, "version": self.version}
        state = {"unfinished": True} if self.unfinished else {}
        listed = {"files": entries(self.files), "kept": entries(self.kept)}
        return json.dumps({**content, **state, **listed}, indent=1).encode()

    @classmethod
    def of(cls, folder: Path) -> Inventory | None:
        """The export that lies in `folder`; None where there is nothing yet. Raises SiteError for
        a folder of anything else: an export over it would mix with what is there."""
        if not folder.exists() or (folder.is_dir() and not _names(folder)):
            return None
        try:
            return _parse(json.loads((folder / INVENTORY).read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SiteError(
                f"{folder} exists and is no earlier export; choose a new or an empty folder"
            ) from error


def _names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()} - {PARTIAL}


def _parse(found: Any) -> Inventory:
    if found["made_by"] != MADE_BY:
        raise ValueError(found["made_by"])
    files, kept = _entries(found["files"]), _entries(found["kept"])
    return Inventory(str(found["version"]), files, kept, found.get("unfinished") is True)


def _entries(found: dict[str, Any]) -> dict[str, FileEntry]:
    """Files that are deleted by this list must lie below the site."""
    if any(not HARMLESS.fullmatch(path) or ".." in path.split("/") for path in found):
        raise ValueError("a path leads elsewhere")
    return {
        path: FileEntry(int(entry["bytes"]), str(entry["sha256"])) for path, entry in found.items()
    }
