"""The part of the hub's protocol that huggingface_hub needs to list and fetch a repository."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlparse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """A running server and what it was asked for."""

    url: str = ""
    fetched: list[str] = field(default_factory=list)  # names of the files sent
    tokens: set[str] = field(default_factory=set)  # Authorization headers seen


@contextmanager
def serve(directory: Path, repo: str = "org/tiny") -> Iterator[Hub]:
    """Serve `directory` as `repo`; `org/gated` and `org/private` answer 403 and 401."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(directory, repo, hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(directory: Path, repo: str, hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def _answer(self, body: bool) -> None:
            if token := self.headers.get("Authorization"):
                hub.tokens.add(token)
            path = unquote(urlparse(self.path).path)
            if path.startswith(f"/api/models/{repo}"):
                self._api(path.removeprefix(f"/api/models/{repo}"))
            elif path.startswith(f"/{repo}/resolve/"):
                self._file(path.split("/", 5)[5], body)
            elif "org/gated" in path:
                self._error(403, "GatedRepo")
            else:
                self._error(401 if "org/private" in path else 404, "RepoNotFound")

        def _api(self, rest: str) -> None:
            revision = rest.split("/")[2] if rest.count("/") >= 2 else "main"
            if revision not in ("main", COMMIT):
                self._error(404, "RevisionNotFound")
            elif rest.startswith("/tree/"):
                query = parse_qs(urlparse(self.path).query)
                assert "cursor" not in query
                self._json([self._entry(file) for file in sorted(directory.iterdir())])
            else:
                names = sorted(file.name for file in directory.iterdir())
                siblings = [{"rfilename": name} for name in names]
                self._json({"id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings})

        def _entry(self, file: Path) -> dict[str, object]:
            oid = hashlib.sha1(file.read_bytes()).hexdigest()
            return {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": oid}

        def _file(self, name: str, body: bool) -> None:
            file = directory / name
            if not file.exists():
                self._error(404, "EntryNotFound")
                return
            data = file.read_bytes()
            self.send_response(200)
            self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                hub.fetched.append(name)
                self.wfile.write(data)

        def _json(self, value: object) -> None:
            data = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _error(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    return Handler
