"""The bundles of a folder, as the page's model list shows them."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

from compiler.bundle.codec import manifest_from_json
from compiler.bundle.names import bundle_file
from compiler.errors import BundleError
from web.errors import SiteError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Model:
    """A bundle, as the page's list of models has it."""

    name: str
    slug: str  # its folder, which is unique where names may not be
    integrity: str  # "sha256-<hex>" of manifest.json: the chain of trust starts here
    bytes: int  # of all files together
    embeds: bool  # it turns texts into vectors, and does not chat


class Models:
    """Reads manifests as they appear and change; unchanged ones are not read again."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise SiteError(f"{folder} is no folder: compile a model or pass --models DIR")
        self.folder = folder
        # Per manifest: what its file looked like when read, and the result (None: unreadable).
        self._known: dict[Path, tuple[tuple[int, int], Model | None]] = {}

    def list(self) -> list[Model]:
        """Every readable bundle, by folder name."""
        manifests = sorted(self.folder.glob("[!.]*/manifest.json"))
        return [model for file in manifests if (model := self._model(file))]

    def require_any(self) -> None:
        """Raises when there is nothing to serve."""
        if not self.list():
            raise SiteError(
                f"{self.folder} holds no bundle: make one with `compile-model SOURCE`, "
                "or pass --models DIR"
            )

    def _model(self, file: Path) -> Model | None:
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._known.get(file)
            if known is None or known[0] != stamp:
                known = self._known[file] = (stamp, _read(file))
            return known[1]
        except OSError:  # replaced by a new build just now; the next request sees that one
            return None


def _read(file: Path) -> Model | None:
    try:
        data = bundle_file(file.parent, file.name).read_bytes()
        manifest = manifest_from_json(data, str(file))
    except BundleError as error:
        log.warning("not served: %s", error)
        return None
    return Model(
        name=manifest.name,
        slug=file.parent.name,
        integrity=f"sha256-{hashlib.sha256(data).hexdigest()}",
        bytes=sum(entry.bytes for entry in manifest.files.values()),
        embeds=manifest.embedding is not None,
    )
