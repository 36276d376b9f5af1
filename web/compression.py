"""gzip for text; weights are dense already and are asked for in ranges."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send


class CompressText:
    """Compresses everything but weight shards and answers to range requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._compressed = GZipMiddleware(app, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        as_is = scope["type"] != "http" or scope["path"].endswith(".bin")
        app = self._plain if as_is or "range" in Headers(scope=scope) else self._compressed
        await app(scope, receive, send)
