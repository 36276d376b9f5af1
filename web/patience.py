"""How long the server waits for a client.

uvicorn by itself waits for ever for a request's head, and for a reader who does not read. Whoever
opens many such connections would exhaust the machine.
"""

from __future__ import annotations

import asyncio
import socket

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 20.0  # for a whole request, from the first byte (or the connection) on
STALL_SECONDS = 60.0  # without taking anything of an answer
# Bytes a second that a reader has to take on average once the 60 seconds are used up. Six
# connections, as many as a browser has, need 24 kB/s, which every mobile network has had since
# EDGE; and a download that is cut off goes on where it was.
LEAST_RATE = 4000.0
UNSENT = 1 << 16  # bytes that the system takes from us before the network has taken them


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with an end to waiting; the connection is then dropped without a word.

    Patience with a reader is an account of seconds: waiting takes from it, and what is read pays
    into it, `LEAST_RATE` bytes a second. So neither the deaf stay nor those who take a little now
    and then, and a tunnel of half a minute costs nobody a download.
    """

    head_seconds = HEAD_SECONDS
    stall_seconds = STALL_SECONDS
    least_rate = LEAST_RATE
    _head: asyncio.TimerHandle | None = None
    _read: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A request has to come."""
        super().connection_made(transport)
        self._patience = self.stall_seconds
        transport.set_write_buffer_limits(high=0)  # paused is: something has not been taken
        _limit_unsent(transport.get_extra_info("socket"))
        self._expect_head(self.head_seconds)

    def data_received(self, data: bytes) -> None:
        """It may have come whole: then the server is who the other waits for."""
        if self._head is None:  # the next request on this connection begins
            self._expect_head(self.head_seconds)
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._expect_head(None)

    def on_response_complete(self) -> None:
        """Idle connections are uvicorn's to end; one with half a request is ours."""
        super().on_response_complete()
        if self.conn.trailing_data[0]:
            self._expect_head(self.head_seconds)

    def pause_writing(self) -> None:
        """The client has not taken what was sent."""
        super().pause_writing()
        self._since, self._unread = self.loop.time(), self.transport.get_write_buffer_size()
        self._expect_reading()

    def resume_writing(self) -> None:
        """It has."""
        super().resume_writing()
        _cancel(self._read)
        if self._read is not None and self._left() <= 0:
            self.transport.abort()
        self._read = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        _cancel(self._read)
        self._read = None
        super().connection_lost(exc)
        self._expect_head(None)

    def _expect_head(self, seconds: float | None) -> None:
        _cancel(self._head)
        self._head = (
            None if seconds is None else self.loop.call_later(seconds, self.transport.abort)
        )

    def _expect_reading(self) -> None:
        """Comes back when the account is empty, unless something was paid in meanwhile."""
        if (left := self._left()) > 0:
            self._read = self.loop.call_later(left, self._expect_reading)
        else:
            self.transport.abort()

    def _left(self) -> float:
        """Seconds of patience, after what was waited and read since the last look."""
        now, unread = self.loop.time(), self.transport.get_write_buffer_size()
        earned = (self._unread - unread) / self.least_rate
        self._patience = min(self.stall_seconds, self._patience - (now - self._since) + earned)
        self._since, self._unread = now, unread
        return self._patience


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _limit_unsent(connection: socket.socket | None) -> None:
    """The system would otherwise take megabytes at once, and then none for minutes."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # Linux and macOS
    if connection is not None and option is not None:
        connection.setsockopt(socket.IPPROTO_TCP, option, UNSENT)
