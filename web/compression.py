"""Compression of what compresses; weights are dense already, and are asked for in ranges."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import lru_cache
from pathlib import PurePosixPath

import brotli
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DENSE = {".bin", ".png"}
# Brotli's best takes seconds for a megabyte; a large tokenizer is worth a little less.
LARGE = 1 << 20
BEST, GOOD = 11, 9
# Bytes of an answer that the server compresses whole and keeps; smaller ones do not get smaller.
SMALLEST, WHOLE = 500, 1 << 19
KEPT = 128  # of those


def _brotli(data: bytes) -> bytes:
    return brotli.compress(data, quality=BEST if len(data) < LARGE else GOOD)


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, 9, mtime=0)


# By the name in Accept-Encoding, the better one first.
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {"br": _brotli, "gzip": _gzip}


class CompressText:
    """Compresses everything but weight shards and answers to range requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._compressed = GZipMiddleware(CompressWhole(app), compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        as_is = scope["type"] != "http" or not compresses(scope["path"])
        app = self._plain if as_is or "range" in Headers(scope=scope) else self._compressed
        await app(scope, receive, send)


class CompressWhole:
    """Makes answers of up to `WHOLE` bytes as small as they get: each text once, then kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        encoding = _encoding(Headers(scope=scope).get("accept-encoding", ""))
        if scope["method"] == "GET" and encoding is not None:
            send = _Answer(encoding, send)
        await self._app(scope, receive, send)


class _Answer:
    """Holds an answer back until its body is there."""

    def __init__(self, encoding: str, send: Send) -> None:
        self._encoding = encoding
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_small(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        body = await run_in_threadpool(_compressed, self._encoding, self._body)
        headers = MutableHeaders(raw=start["headers"])
        headers["Content-Encoding"] = self._encoding
        headers["Content-Length"] = str(len(body))
        headers.add_vary_header("Accept-Encoding")
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def _encoding(accepted: str) -> str | None:
    """The best that a client accepts of what is made here."""
    names = {each.partition(";")[0].strip() for each in accepted.split(",")}
    return next((each for each in ENCODINGS if each in names), None)


def _is_small(start: Message) -> bool:
    length = Headers(raw=start["headers"]).get("content-length", "")
    return start["status"] == 200 and length.isdigit() and SMALLEST <= int(length) <= WHOLE


@lru_cache(maxsize=KEPT)
def _compressed(encoding: str, data: bytes) -> bytes:
    return ENCODINGS[encoding](data)


def compresses(path: str) -> bool:
    """Whether the file of this name gets smaller."""
    return PurePosixPath(path).suffix not in DENSE


def twins(path: str, data: bytes) -> dict[str, bytes]:
    """The file precompressed, by name; none where that saves nothing. The same at every call."""
    if not compresses(path):
        return {}
    made = {f"{path}.gz": _gzip(data), f"{path}.br": _brotli(data)}
    return {name: packed for name, packed in made.items() if len(packed) < len(data)}
