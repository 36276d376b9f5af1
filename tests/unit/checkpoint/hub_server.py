"""The part of the hub's protocol that huggingface_hub needs to list and fetch a repository."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves `directory` as `repo`; `org/gated` and `org/private` answer 403 and 401."""

    def __init__(self, directory: Path, repo: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.directory, self.repo = directory, repo
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.fetched: list[str] = []  # names of the files sent
        self.tokens: set[str] = set()  # Authorization headers seen


@contextmanager
def serve(directory: Path, repo: str = "org/tiny") -> Iterator[Hub]:
    """A running hub."""
    with Hub(directory, repo) as hub:
        thread = threading.Thread(target=hub.serve_forever, daemon=True)
        thread.start()
        yield hub
        hub.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        if token := self.headers.get("Authorization"):
            self.server.tokens.add(token)
        path = unquote(urlparse(self.path).path)
        api = f"/api/models/{self.server.repo}"
        if path.startswith(api):
            self._api(path.removeprefix(api))
        elif path.startswith(f"/{self.server.repo}/resolve/"):
            self._file(path.split("/", 5)[5], body)
        elif "org/gated" in path:
            self._error(403, "GatedRepo")
        else:
            self._error(401 if "org/private" in path else 404, "RepoNotFound")

    def _api(self, rest: str) -> None:
        files = sorted(self.server.directory.iterdir())
        revision = rest.split("/")[2] if rest.count("/") >= 2 else "main"
        if revision not in ("main", COMMIT):
            self._error(404, "RevisionNotFound")
        elif rest.startswith("/tree/"):
            self._json([_entry(file) for file in files])
        else:
            siblings = [{"rfilename": file.name} for file in files]
            self._json({"id": self.server.repo, "sha": COMMIT, "siblings": siblings})

    def _file(self, name: str, body: bool) -> None:
        file = self.server.directory / name
        if not file.exists():
            self._error(404, "EntryNotFound")
            return
        data = file.read_bytes()
        tag = hashlib.sha1(data).hexdigest()
        self._send(200, {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT}, data if body else len(data))
        if body:
            self.server.fetched.append(name)

    def _json(self, value: object) -> None:
        self._send(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def _error(self, status: int, code: str) -> None:
        self._send(status, {"X-Error-Code": code, "X-Error-Message": code}, b"")

    def _send(self, status: int, headers: dict[str, str], body: bytes | int) -> None:
        """Answer with a body, or with the length alone of one that HEAD leaves out."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(body if isinstance(body, int) else len(body)))
        self.end_headers()
        if isinstance(body, bytes):
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


def _entry(file: Path) -> dict[str, object]:
    oid = hashlib.sha1(file.read_bytes()).hexdigest()
    return {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": oid}
