"""The miniature with weights that are large enough to be cut, damaged and counted anywhere."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, field

from tests.browser.miniature import MODEL, SHARDS, STRIDE
from tests.browser.wasm_miniature import SINGLE, WasmMiniature

MANIFEST = f"{MODEL}/manifest.json"
COUNT = 4  # shards, of a word of the tensor each
SIZE = 200_000  # bytes of a shard; all but four belong to nothing
WORDS = (2, 1, 1, 1)
PADDED = [f"{MODEL}/weights/{index}.bin" for index in range(COUNT)]

assert sum(WORDS) == STRIDE


@dataclass
class Padded(WasmMiniature):
    names: list[str] = field(default_factory=lambda: [SINGLE])

    def files(self) -> dict[str, bytes]:
        files = super().files()
        manifest = json.loads(files[MANIFEST])
        for name in SHARDS:
            del files[f"{MODEL}/{name}"], manifest["files"][name]
        noise = random.Random(0)
        spans = []
        for path, word in zip(PADDED, WORDS, strict=True):
            offset = noise.randrange(0, SIZE - 4, 4)
            content = bytearray(noise.randbytes(SIZE))
            content[offset : offset + 4] = word.to_bytes(4, "little")
            files[path] = bytes(content)
            name = path.removeprefix(f"{MODEL}/")
            manifest["files"][name] = {"bytes": SIZE, "sha256": sha256(files[path])}
            spans.append({"file": name, "offset": offset, "bytes": 4})
        manifest["tensors"]["stride"]["shards"] = spans
        files[MANIFEST] = json.dumps(manifest).encode()
        return files


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
