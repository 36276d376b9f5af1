"""Compression of what compresses; weights are dense already, and are asked for in ranges."""

from __future__ import annotations

import gzip
from pathlib import PurePosixPath

import brotli
from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

DENSE = {".bin", ".png"}
# Brotli's best takes seconds for a megabyte; a large tokenizer is worth a little less.
LARGE = 1 << 20
BEST, GOOD = 11, 9


class CompressText:
    """Compresses everything but weight shards and answers to range requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._compressed = GZipMiddleware(app, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        as_is = scope["type"] != "http" or not compresses(scope["path"])
        app = self._plain if as_is or "range" in Headers(scope=scope) else self._compressed
        await app(scope, receive, send)


def compresses(path: str) -> bool:
    """Whether the file of this name gets smaller."""
    return PurePosixPath(path).suffix not in DENSE


def twins(path: str, data: bytes) -> dict[str, bytes]:
    """The file precompressed, by name; none where that saves nothing. The same at every call."""
    if not compresses(path):
        return {}
    quality = BEST if len(data) < LARGE else GOOD
    made = {
        f"{path}.gz": gzip.compress(data, 9, mtime=0),
        f"{path}.br": brotli.compress(data, quality=quality),
    }
    return {name: packed for name, packed in made.items() if len(packed) < len(data)}
