"""app.json of a site: what the build lists, and the files that the site adds to it.

The service worker keeps exactly these files, checks each against its hash, and takes another
app.json for another version of the site. So whatever may change has to be listed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

INDEX = "index.html"
MODELS = "models.json"


def list_site(build: bytes, more: Mapping[str, bytes]) -> bytes:
    """The build's app.json with `more` files, by their path below the site."""
    listed = json.loads(build)
    for path, data in more.items():
        listed["files"][path] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return json.dumps(listed, indent=1).encode()
