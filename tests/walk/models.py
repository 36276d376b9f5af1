"""What the site has to choose from: models that need no compiler, each for a reason of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.browser.miniature import CARD, MODEL, Miniature
from tests.browser.padded import MANIFEST, PADDED, Padded
from tests.browser.shelf import embeds, fits, raised, shelved
from tests.browser.site import write_files
from tests.browser.wasm_miniature import SINGLE, THREADED, WasmMiniature

BUSY = 3_000_000  # turns of a loop per token: an answer takes its time on the processor
LARGE_SHARDS = [path.removeprefix(f"{MODEL}/") for path in PADDED]
Manifest = dict[str, Any]


def large() -> Padded:
    """Its weights come in several files, and its answers are long."""
    return Padded(names=[THREADED, SINGLE], stop_tokens=[], busy=BUSY)


def described(manifest: Manifest) -> None:
    manifest["name"] = "large"
    manifest["parameters"] = 7_000_000
    manifest["default_context"] = manifest["context"]
    manifest["card"] = {
        **CARD,
        "languages": ["en", "fr", "it"],
        "datasets": ["someone/texts"],
        "license": {"id": "mit", "name": "", "link": "https://example.org/mit", "terms": ""},
    }


def slow(manifest: Manifest) -> None:
    """No device that a person holds reads so much for a token."""
    manifest["parameters"] = 3_000_000_000
    for variant in manifest["variants"].values():
        variant["bytes_per_token"] = 1 << 44


def changed(files: dict[str, bytes], name: str, change: Callable[[Manifest], None]) -> Any:
    """The bundle as the folder `name`."""
    manifest = json.loads(files[MANIFEST])
    change(manifest)
    files = {**files, MANIFEST: json.dumps(manifest).encode()}
    return {path.replace(MODEL, f"/models/{name}"): data for path, data in files.items()}


def write_models(root: Path) -> Path:
    """large, small, slow, raised, which has WebGPU alone and cannot run, and embeds."""
    on_both = WasmMiniature(stop_tokens=[])
    files = {
        **changed(large().files(), "large", described),
        **shelved(on_both, "small", fits),
        **shelved(on_both, "slow", slow),
        **shelved(Miniature(), "raised", raised),
        **shelved(on_both, "embeds", embeds),
    }
    return write_files(files, root)


def large_shards() -> list[bytes]:
    """What its weights are made of."""
    files = large().files()
    return [files[path] for path in PADDED]
