"""A web server whose files tests can damage, delay and count."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from web.built import Built

DIST = Path(__file__).parents[2] / "static" / "dist"
TYPES = {".js": "text/javascript", ".json": "application/json", ".html": "text/html"}
PAGE = b"<!doctype html><title>engine</title>"
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


class Site:
    """Files by path, with faults to order. Responses are never kept by the browser's own cache."""

    def __init__(self, files: dict[str, bytes], *, isolated: bool = True) -> None:
        self.headers = ISOLATION if isolated else {}  # isolated: there is SharedArrayBuffer
        self.files = {"/": PAGE, **files}
        self.hits: Counter[str] = Counter()
        self.flips: Counter[str] = Counter()  # how many responses still get a flipped byte
        self.failures: Counter[str] = Counter()  # how many requests still get a 503
        self.address = ""

    def respond(self, path: str) -> tuple[int, bytes]:
        self.hits[path] += 1
        if path not in self.files:
            return 404, b""
        if self.failures[path] > 0:
            self.failures[path] -= 1
            return 503, b""
        body = self.files[path]
        if self.flips[path] > 0:
            self.flips[path] -= 1
            body = bytes([body[0] ^ 1]) + body[1:]
        return 200, body


@contextmanager
def serve(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            status, body = site.respond(path)
            self.send_response(status)
            self.send_header("Content-Type", TYPES.get(Path(path).suffix, "text/html"))
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            for name, value in site.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Requests are counted, not printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    site.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def engine_files() -> dict[str, bytes]:
    """What `npm run build` made of the engine."""
    names = ("engine.js", "worker.js", "thread.js", "pace.js")
    assets = DIST / Built(DIST).app().assets
    return {f"/{name}": (assets / name).read_bytes() for name in names}


def folder_files(root: Path, prefix: str) -> dict[str, bytes]:
    return {
        f"{prefix}/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
