"""The two folders served as they are: the built page and the bundles."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from compiler.bundle.names import bundle_file
from compiler.bundle.schema import FILE_NAME
from compiler.errors import BundleError
from web.built import Built
from web.headers import IMMUTABLE, REVALIDATE

# What a bundle may hold. Folders that begin with a dot are builds in progress.
BUNDLE_FILE = re.compile(rf"[^/.][^/]*/(manifest[.]json|(?P<hashed>{FILE_NAME}))", re.ASCII)

SERVICE_WORKER = "sw.js"
REMOVER = "sw-remove.js"  # in its place, it takes the service worker away

# Files of a site whose names change with their content.
HASHED = re.compile(r"(assets/[^/]+|models/[^/]+/(plans|kernels|weights|tokenizer))/.+")

# Named here because the machine's own table may know better, or know nothing.
MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".wgsl": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".bin": "application/octet-stream",
}


class BundleFiles(StaticFiles):
    """Files of bundles and nothing else that lies in the models folder."""

    def __init__(self, models: Path) -> None:
        self._models = models
        # Links are followed: a person may well link a bundle into the folder.
        super().__init__(directory=models, follow_symlink=True)

    async def get_response(self, path: str, scope: Scope) -> Response:
        match = BUNDLE_FILE.fullmatch(Path(path).as_posix())
        if not match:
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        return _labelled(response, path, IMMUTABLE if match["hashed"] else REVALIDATE)

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Nothing where a stranger's bundle has a link to something else, or to itself."""
        slug, _, name = Path(path).as_posix().partition("/")
        try:
            bundle_file(self._models / slug, name)
            return super().lookup_path(path)
        except BundleError:
            return "", None
        except OSError as error:
            if error.errno == errno.ELOOP:
                return "", None
            raise


class PageFiles(StaticFiles):
    """The build: its assets are kept for ever, what is named for ever is asked for every time."""

    def __init__(self, built: Built, *, offline: bool = True) -> None:
        super().__init__(directory=built.folder)
        self._built = built
        self._instead = {} if offline else {SERVICE_WORKER: REMOVER}

    async def get_response(self, path: str, scope: Scope) -> Response:
        app = self._built.app()
        if path not in app.files:
            raise HTTPException(404)
        keep = IMMUTABLE if path.startswith(app.assets) else REVALIDATE
        sent = self._instead.get(path, app.source(path))
        return _labelled(await super().get_response(sent, scope), path, keep)


def _labelled(response: Response, path: str, cache_control: str) -> Response:
    response.headers["Cache-Control"] = cache_control
    if response.status_code == 200:
        kind = MEDIA_TYPES.get(Path(path).suffix, "application/octet-stream")
        response.headers["Content-Type"] = kind
    return response
