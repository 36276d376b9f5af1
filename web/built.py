"""The browser's part as `make build` left it: app.json and the files it lists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from compiler.bundle.schema import FileEntry
from web.errors import SiteError

LIST = "app.json"
NOT_BUILT = "the page is not built: run `make build` (needs Node 20 or newer)"


@dataclass(frozen=True)
class App:
    """One build, by the names that its files have on a site."""

    build: str  # names the folder of its assets as it was built
    version: str  # and on the site
    files: dict[str, FileEntry]  # by path below the site
    preload: tuple[str, ...]  # pieces of the page's script that are needed at once

    @property
    def assets(self) -> str:
        """The folder whose files never change, relative to the site, with a slash at its end."""
        return _folder(self.version)

    def source(self, path: str) -> str:
        """Where the build has the file that is `path` on the site."""
        return path.replace(self.assets, _folder(self.build), 1)

    def on_site(self, text: str) -> str:
        """A path below the build, or a text with such paths in it, as the site has it."""
        return text.replace(_folder(self.build), self.assets)


def site_version(build: str, headers: Mapping[str, str]) -> str:
    """Names a build that is served with these headers.

    They belong to it as the bytes do: browsers keep both for a year, and a worker's policy is what
    came with its script. With other origins, the files of a site are other files.
    """
    text = json.dumps(headers, sort_keys=True)
    return f"{build}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _folder(version: str) -> str:
    return f"assets/{version}/"


class Built:
    """Reads app.json whenever another build has replaced it."""

    def __init__(self, folder: Path, headers: Mapping[str, str] | None = None) -> None:
        """`headers` are those of the site that the build is part of, if it is."""
        self.folder = folder
        self._headers = headers
        self._read: tuple[tuple[int, int], App] | None = None

    def app(self) -> App:
        """The newest build. Raises SiteError where there is none."""
        file = self.folder / LIST
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if self._read is None or self._read[0] != stamp:
                self._read = (stamp, self._parse(file.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SiteError(NOT_BUILT) from error
        return self._read[1]

    def for_site(self, headers: Mapping[str, str]) -> Built:
        """The same build as part of a site with these headers."""
        return Built(self.folder, headers)

    def read(self, path: str) -> bytes:
        """The file that is `path` on the site."""
        return (self.folder / self.app().source(path)).read_bytes()

    def _parse(self, data: bytes) -> App:
        found = json.loads(data)
        build = str(found["version"])
        version = build if self._headers is None else site_version(build, self._headers)
        named = App(build, version, {}, tuple(str(path) for path in found["preload"]))
        files = {
            named.on_site(path): FileEntry(int(entry["bytes"]), str(entry["sha256"]))
            for path, entry in found["files"].items()
        }
        return replace(named, files=files, preload=tuple(map(named.on_site, named.preload)))


def find_page() -> Path:
    """The built page: static/dist in a checkout, dist beside this file in the wheel."""
    here = Path(__file__).parent
    for folder in (here.parent / "static" / "dist", here / "dist"):
        if (folder / LIST).is_file():
            return folder
    raise SiteError(NOT_BUILT)
