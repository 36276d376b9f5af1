"""A web server whose files tests can damage, delay and count."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.browser.listening import listening
from web.built import Built

DIST = Path(__file__).parents[2] / "static" / "dist"
TYPES = {"": "text/html", ".js": "text/javascript", ".json": "application/json"}
PAGE = b"<!doctype html><title>engine</title>"
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


@dataclass
class Answer:
    """What a request gets. A fault is an answer that differs from the file's own."""

    status: int = 200
    body: bytes = b""
    type: str = "application/octet-stream"
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None  # bytes of the body after which the connection ends
    stall: float = 0.0  # seconds until it ends
    hold: threading.Event | None = None  # what follows `cut`, bytes or the end, waits for this
    resumes: bool = True  # whether what follows is the rest of the bytes
    length: int | None = None  # what Content-Length says instead


class Site:
    """Files by path, with faults to order. Responses are never kept by the browser's own cache."""

    def __init__(
        self, files: dict[str, bytes], *, isolated: bool = True, ranges: bool = True
    ) -> None:
        self.headers = ISOLATION if isolated else {}  # isolated: there is SharedArrayBuffer
        self.files = {"/": PAGE, **files}
        self.ranges = ranges  # whether a request may ask for a part
        self.hits: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()  # bytes of bodies
        self.parts: Counter[str] = Counter()  # answers that were a part of the file
        self.flips: Counter[str] = Counter()  # how many responses still get a flipped byte
        self.failures: Counter[str] = Counter()  # how many requests still get a 503
        # What happens to the next requests of a path, one after the other.
        self.faults: defaultdict[str, list[Callable[[Answer], Answer]]] = defaultdict(list)
        self.address = ""

    def respond(self, path: str, range: str | None = None) -> Answer:
        self.hits[path] += 1
        if path not in self.files:
            return Answer(404)
        if self.failures[path] > 0:
            self.failures[path] -= 1
            return Answer(503)
        body = self.files[path]
        if self.flips[path] > 0:
            self.flips[path] -= 1
            body = bytes([body[0] ^ 1]) + body[1:]
        answer = Answer(body=body, type=TYPES.get(Path(path).suffix, Answer.type))
        if range is not None and self.ranges:
            self.parts[path] += 1
            answer = part(answer, int(range.removeprefix("bytes=").removesuffix("-")))
        faults = self.faults[path]
        return faults.pop(0)(answer) if faults else answer


def part(whole: Answer, start: int) -> Answer:
    """What is asked for with `Range: bytes=<start>-`."""
    size = len(whole.body)
    if start >= size:
        return Answer(416, headers={"Content-Range": f"bytes */{size}"})
    span = {"Content-Range": f"bytes {start}-{size - 1}/{size}"}
    return replace(whole, status=206, body=whole.body[start:], headers=span)


@contextmanager
def serve(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            answer = site.respond(path, self.headers.get("Range"))
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.type)
            length = len(answer.body) if answer.length is None else answer.length
            self.send_header("Content-Length", str(length))
            self.send_header("Cache-Control", "no-store")
            for name, value in {**site.headers, **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            # The browser may be gone by then: it, too, gives requests up.
            with suppress(BrokenPipeError, ConnectionResetError):
                self.send_body(path, answer)

        def send_body(self, path: str, answer: Answer) -> None:
            first = answer.body[: answer.cut]
            self.wfile.write(first)
            self.wfile.flush()
            site.sent[path] += len(first)
            time.sleep(answer.stall)
            if answer.hold is not None:
                answer.hold.wait()
                rest = answer.body[len(first) :] if answer.resumes else b""
                self.wfile.write(rest)
                site.sent[path] += len(rest)

        def log_message(self, format: str, *args: Any) -> None:
            """Requests are counted, not printed."""

    with listening(Handler) as site.address:
        yield site


def engine_files() -> dict[str, bytes]:
    """What `npm run build` made of the engine, among the page's own pieces."""
    assets = DIST / Built(DIST).app().assets
    return {f"/{script.name}": script.read_bytes() for script in assets.glob("*.js")}


def folder_files(root: Path, prefix: str) -> dict[str, bytes]:
    return {
        f"{prefix}/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def write_files(files: Mapping[str, bytes], root: Path) -> Path:
    """The other way round, below `root`; its folder of models."""
    for path, content in files.items():
        file = root / path.removeprefix("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return root / "models"
