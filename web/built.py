"""The browser's part as `make build` left it: app.json and the files it lists."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from web.errors import SiteError

LIST = "app.json"
NOT_BUILT = "the page is not built: run `make build` (needs Node 20 or newer)"


@dataclass(frozen=True)
class App:
    """One build."""

    version: str  # names the folder of its assets
    files: dict[str, int]  # bytes by path below the site
    preload: tuple[str, ...]  # pieces of the page's script that are needed at once

    @property
    def assets(self) -> str:
        """The folder whose files never change, relative to the site, with a slash at its end."""
        return f"assets/{self.version}/"


class Built:
    """Reads app.json whenever another build has replaced it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: tuple[tuple[int, int], App] | None = None

    def app(self) -> App:
        """The newest build. Raises SiteError where there is none."""
        file = self.folder / LIST
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if self._read is None or self._read[0] != stamp:
                self._read = (stamp, _parse(file.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SiteError(NOT_BUILT) from error
        return self._read[1]


def _parse(data: bytes) -> App:
    found = json.loads(data)
    files = {name: int(entry["bytes"]) for name, entry in found["files"].items()}
    preload = tuple(str(path) for path in found["preload"])
    return App(str(found["version"]), files, preload)


def find_page() -> Path:
    """The built page: static/dist in a checkout, dist beside this file in the wheel."""
    here = Path(__file__).parent
    for folder in (here.parent / "static" / "dist", here / "dist"):
        if (folder / LIST).is_file():
            return folder
    raise SiteError(NOT_BUILT)
