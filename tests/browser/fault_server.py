"""An OpenAI-shaped server that goes wrong on purpose, on a real socket.

What it does stands in the address: `http://127.0.0.1:PORT/cut/v1` is a server that hangs up in
mid-answer. `FAULTS` has all of them.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.browser.listening import listening

TOKEN = "let me in"
ANSWER = ["Clay", " is", " earth", "."]
OVERFLOW = {
    "code": 400,
    "message": "request (931 tokens) exceeds the available context size (512 tokens)",
    "type": "exceed_context_size_error",
    "n_prompt_tokens": 931,
    "n_ctx": 512,
}
# llama-cpp-python's, to a request for no stream; a stream it ends without a word.
OVERFLOW_AFTERWARDS = {
    "message": "This model's maximum context length is 512 tokens. However, you requested 632 "
    "tokens (631 in the messages, 1 in the completion). Please reduce the length of the messages "
    "or completion.",
    "type": "invalid_request_error",
    "param": "messages",
    "code": "context_length_exceeded",
}


@dataclass
class Seen:
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class FaultServer:
    """What was asked of it, and whether somebody hung up on an answer without end."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.hung_up = threading.Event()
        self.origin = ""

    def base(self, fault: str) -> str:
        """The address of the server that goes wrong this way."""
        return f"{self.origin}/{fault}/v1"

    def asked(self, method: str) -> list[Seen]:
        """Requests of one method."""
        return [seen for seen in self.seen if seen.method == method]


class Handler(BaseHTTPRequestHandler):
    """One request; the fault is the first part of its path."""

    protocol_version = "HTTP/1.1"
    faults: FaultServer

    def do_OPTIONS(self) -> None:
        self._note(None)
        self.send_response(204)
        self._admit()
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self._note(None)
        if self._locked():
            self._error(401, {"message": "Invalid API Key", "code": 401})
        elif self._fault == "listless":
            self._json(200, {"models": []})
        else:
            self._json(200, {"object": "list", "data": [{"id": "faulty", "object": "model"}]})

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        self._note(json.loads(self.rfile.read(size)))
        if self._locked():
            self._error(401, {"message": "Invalid API Key", "code": 401})
            return
        FAULTS[self._fault](self)

    # --- what goes wrong

    def answer(self) -> None:
        self._begin()
        for text in ANSWER:
            self._event(_chunk(text))
        self._event(_chunk(finish="stop"))
        usage = {"prompt_tokens": 30, "completion_tokens": 4, "total_tokens": 34}
        self._event({"choices": [], "usage": usage})
        self._part(b"data: [DONE]\n\n")
        self._part(b"")

    def cut(self) -> None:
        self._begin()
        self._event(_chunk(ANSWER[0]))
        self._part(b"")  # a proper end of the body, but not of the answer
        self.close_connection = True

    def reset(self) -> None:
        self._begin()
        self._event(_chunk(ANSWER[0]))
        linger = struct.pack("ii", 1, 0)  # closing sends a reset
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def endless(self) -> None:
        self._begin()
        try:
            while True:
                self._event(_chunk("and "))
                self.faults.hung_up.wait(0.02)
        except OSError:
            self.faults.hung_up.set()
            self.close_connection = True

    def amid(self) -> None:
        self._begin()
        self._event(_chunk(ANSWER[0]))
        self._event({"error": {"message": "the model fell over"}})
        self._part(b"")

    def page(self) -> None:
        self._send(200, "text/html", b"<h1>It works!</h1>")

    def garbage(self) -> None:
        self._begin()
        self._part(b"data: {broken\n\n")
        self._part(b"")

    def missing(self) -> None:
        self._error(404, {"message": "model 'faulty' not found", "type": "not_found_error"})

    def fault(self) -> None:
        self._error(500, {"message": "out of memory", "type": "server_error"})

    def overflow(self) -> None:
        if len(self.faults.seen[-1].body["messages"]) > 1:
            self._error(400, OVERFLOW)
        else:
            self.answer()

    def wordless(self) -> None:
        asked = self.faults.seen[-1].body
        if len(asked["messages"]) == 1:
            self.answer()
        elif asked["stream"]:
            self._silence()
        else:
            self._error(400, OVERFLOW_AFTERWARDS)

    def silent(self) -> None:
        if self.faults.seen[-1].body["stream"]:
            self._silence()
        else:
            self._json(200, {"choices": [{"index": 0, "message": {"content": "Clay"}}]})

    def elsewhere(self) -> None:
        self.send_response(307)
        self._admit()
        self.send_header("Location", f"{self.faults.origin}/answer/v1/chat/completions")
        self.send_header("Content-Length", "0")
        self.end_headers()

    # --- the parts of responses

    @property
    def _fault(self) -> str:
        return self.path.split("/")[1]

    def _locked(self) -> bool:
        return self._fault == "locked" and self.headers["Authorization"] != f"Bearer {TOKEN}"

    def _note(self, body: Any) -> None:
        self.faults.seen.append(Seen(self.command, self.path, dict(self.headers), body))

    def _admit(self) -> None:
        if self._fault == "closed":
            return
        self.send_header("Access-Control-Allow-Origin", self.headers.get("Origin", ""))
        self.send_header("Access-Control-Allow-Headers", "authorization, content-type")

    def _begin(self) -> None:
        self.send_response(200)
        self._admit()
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _silence(self) -> None:
        """A stream that ends before it begins."""
        self._begin()
        self._part(b"")
        self.close_connection = True

    def _event(self, data: dict[str, Any]) -> None:
        self._part(f"data: {json.dumps(data)}\n\n".encode())

    def _part(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _error(self, status: int, error: dict[str, Any]) -> None:
        self._json(status, {"error": error})

    def _json(self, status: int, value: Any) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self._admit()
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are noted, not printed."""


FAULTS: dict[str, Callable[[Handler], None]] = {
    "answer": Handler.answer,
    "locked": Handler.answer,
    "cut": Handler.cut,
    "reset": Handler.reset,
    "endless": Handler.endless,
    "amid": Handler.amid,
    "page": Handler.page,
    "garbage": Handler.garbage,
    "missing": Handler.missing,
    "fault": Handler.fault,
    "overflow": Handler.overflow,
    "wordless": Handler.wordless,
    "silent": Handler.silent,
    "elsewhere": Handler.elsewhere,
}


def _chunk(text: str | None = None, finish: str | None = None) -> dict[str, Any]:
    delta = {} if text is None else {"content": text}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


@contextmanager
def fault_server() -> Iterator[FaultServer]:
    """Serves on a free port of this machine."""
    faults = FaultServer()
    handler = type("BoundHandler", (Handler,), {"faults": faults})
    with listening(handler) as faults.origin:
        try:
            yield faults
        finally:
            faults.hung_up.set()
