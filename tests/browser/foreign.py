"""A model in the browser's storage that another version of the format made."""

from __future__ import annotations

import hashlib
import json

from playwright.sync_api import Page

KEEP = """async ([folder, name, text]) => {
  let place = await navigator.storage.getDirectory();
  for (const each of ["webkiln", folder]) {
    place = await place.getDirectoryHandle(each, { create: true });
  }
  const stream = await (await place.getFileHandle(name, { create: true })).createWritable();
  await stream.write(text);
  await stream.close();
}"""


def keep_foreign(page: Page, weights: bytes) -> str:
    """Keeps such a model, named "theirs"; its integrity."""
    hashed = hashlib.sha256(weights).hexdigest()
    manifest = json.dumps({"format": 1, "name": "theirs", "files": {"w": {"sha256": hashed}}})
    own = hashlib.sha256(manifest.encode()).hexdigest()
    page.evaluate(KEEP, ["files", hashed, weights.decode()])
    page.evaluate(KEEP, ["manifests", own, manifest])
    return f"sha256-{own}"
