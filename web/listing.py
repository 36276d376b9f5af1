"""app.json of a site: what the build lists, and the files that the site adds to it.

The service worker keeps exactly these files, checks each against its hash, and takes another
app.json for another version of the site. So whatever may change has to be listed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict

from compiler.bundle.schema import FileEntry
from web.built import App

INDEX = "index.html"
MODELS = "models.json"


def list_site(app: App, more: Mapping[str, bytes]) -> bytes:
    """app.json of a build with `more` files, by their path below the site."""
    added = {
        path: FileEntry(len(data), hashlib.sha256(data).hexdigest()) for path, data in more.items()
    }
    files = {path: asdict(entry) for path, entry in {**app.files, **added}.items()}
    listed = {"version": app.version, "files": files, "preload": app.preload}
    return json.dumps(listed, indent=1).encode()
