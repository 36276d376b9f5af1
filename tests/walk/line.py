"""The line between a browser and a host: what it carries is known, stopped in mid-way, or cut."""

from __future__ import annotations

import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

REQUEST = re.compile(rb"GET (\S+) HTTP/")
PIECE = 16_384  # bytes
HELD_AFTER = 4 * PIECE  # bytes of an answer, its head included


@dataclass
class Carried:
    """What goes over one connection; a browser asks for the next file when it has the last one."""

    near: socket.socket  # the browser's end
    path: str = ""
    received: int = 0  # bytes of the answer to the last request
    over: threading.Event = field(default_factory=threading.Event)  # the browser hung up


class Line:
    """Passes bytes on, both ways and unchanged, to whichever host is behind it."""

    def __init__(self) -> None:
        self.host = 0  # its port
        self.asked: Counter[str] = Counter()  # requests by path
        self._held: dict[str, threading.Event] = {}
        self._open: set[socket.socket] = set()
        self._port = 0
        self._server: ThreadingTCPServer | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def mend(self) -> None:
        """Takes connections, at the same port as before."""
        server = Server(("127.0.0.1", self._port), partial(Handler, self))
        self._port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self._server = server

    def cut(self) -> None:
        """Ends all connections; whoever wants a new one is refused."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
        self._server = None
        for each in list(self._open):
            hang_up(each)

    @contextmanager
    def holding(self, ending: str) -> Iterator[None]:
        """Meanwhile, answers to requests for such paths stop after their first bytes."""
        event = self._held[ending] = threading.Event()
        try:
            yield
        finally:
            del self._held[ending]
            event.set()

    # --- one connection

    def carry(self, near: socket.socket) -> None:
        carried = Carried(near)
        self._open.add(near)
        try:
            with socket.create_connection(("127.0.0.1", self.host)) as far:
                back = threading.Thread(target=self._bring, args=(carried, far), daemon=True)
                back.start()
                self._ask(carried, far)
                carried.over.set()
                hang_up(far)
                back.join()
        except OSError:
            pass  # one of the two is gone: so is the connection
        finally:
            self._open.discard(near)

    def _ask(self, carried: Carried, far: socket.socket) -> None:
        with suppress(OSError):
            while data := carried.near.recv(PIECE):
                if found := REQUEST.match(data):
                    carried.path, carried.received = found[1].decode(), 0
                    self.asked[carried.path] += 1
                far.sendall(data)

    def _bring(self, carried: Carried, far: socket.socket) -> None:
        with suppress(OSError):
            while data := far.recv(PIECE):
                carried.near.sendall(data)
                carried.received += len(data)
                if carried.received >= HELD_AFTER:
                    self._wait(carried)
        hang_up(carried.near)

    def _wait(self, carried: Carried) -> None:
        for ending, event in list(self._held.items()):
            while carried.path.endswith(ending) and not carried.over.is_set():
                if event.wait(0.05):
                    break


class Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class Handler(BaseRequestHandler):
    def __init__(self, line: Line, *arguments: Any) -> None:
        self.line = line
        super().__init__(*arguments)

    def handle(self) -> None:
        self.line.carry(self.request)


def hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def line() -> Iterator[Line]:
    """To no host yet."""
    between = Line()
    between.mend()
    try:
        yield between
    finally:
        between.cut()
