"""Several miniature bundles side by side, as a site with a choice of models has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from tests.browser.miniature import CARD, MODEL, SHARDS, Miniature
from tests.browser.wasm_miniature import WasmMiniature

GIB = 1 << 30
SMALL_DEVICE = "Object.defineProperty(navigator, 'deviceMemory', { value: 2 });"

Manifest = dict[str, Any]


def shelved(model: Miniature, name: str, change: Callable[[Manifest], None]) -> dict[str, bytes]:
    """The bundle as the folder `name`, with its manifest changed and a shard of its own."""
    files = model.files()
    manifest = json.loads(files[f"{MODEL}/manifest.json"]) | {"name": name}
    shard = name.encode()[:4] + files[f"{MODEL}/{SHARDS[0]}"][4:]  # the first word is nobody's
    files[f"{MODEL}/{SHARDS[0]}"] = shard
    manifest["files"][SHARDS[0]]["sha256"] = hashlib.sha256(shard).hexdigest()
    change(manifest)
    files[f"{MODEL}/manifest.json"] = json.dumps(manifest).encode()
    return {path.replace(MODEL, f"/models/{name}"): data for path, data in files.items()}


def fits(manifest: Manifest) -> None:
    manifest["parameters"] = 2_000_000
    manifest["card"] = {
        **CARD,
        "datasets": ["someone/texts"],
        "license": {
            **{"id": "mit", "name": "", "link": "https://example.org/mit"},
            "terms": "Keep the notice.",
        },
    }
    manifest["notes"] = ["Some layers were made plain."]


def larger(manifest: Manifest) -> None:
    """Fits as well, and has no card to speak of."""
    manifest["parameters"] = 7_000_000
    nothing = {"id": "", "name": "", "link": "", "terms": ""}
    manifest["card"] = {**{key: [] for key in CARD}, "license": nothing}


def tight(manifest: Manifest) -> None:
    """Takes most of what SMALL_DEVICE has."""
    manifest["parameters"] = 3_000_000_000
    for variant in manifest["variants"].values():
        variant["memory"]["weights"] = 17 * GIB // 10


def raised(manifest: Manifest) -> None:
    """Asks for a buffer that no device allows."""
    manifest["parameters"] = 70_000_000_000
    for variant in manifest["variants"].values():
        variant["requires"]["limits"] = {"maxBufferSize": 1 << 50}


def embeds(manifest: Manifest) -> None:
    manifest["parameters"] = 9_000_000
    manifest["embedding"] = {
        "dimensions": 4,
        "pooling": ["mean"],
        "normalised": True,
        "limit": 64,
        "before": [],
        "after": [],
        "lowercase": False,
        "prompts": {},
        "default_prompt": "",
        "padded": False,
    }
    for variant in manifest["variants"].values():
        variant["bytes_per_token"] = variant["dispatches_per_token"] = None


def shelf() -> dict[str, bytes]:
    """fits, larger, tight and embeds run on WebAssembly; raised has WebGPU alone, and cannot."""
    on_both = WasmMiniature(stop_tokens=[])
    return {
        **shelved(on_both, "fits", fits),
        **shelved(on_both, "larger", larger),
        **shelved(on_both, "tight", tight),
        **shelved(Miniature(), "raised", raised),
        **shelved(on_both, "embeds", embeds),
    }
