"""How long the server waits for a client.

uvicorn by itself waits for ever for a request's head, and for a reader who does not read. Whoever
opens many such connections would exhaust the machine.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 20.0  # for a whole request, from the first byte (or the connection) on
STALL_SECONDS = 60.0  # without taking anything of an answer


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with an end to waiting; the connection is then dropped without a word."""

    head_seconds = HEAD_SECONDS
    stall_seconds = STALL_SECONDS
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A request has to come."""
        super().connection_made(transport)
        self._expect(self.head_seconds)

    def data_received(self, data: bytes) -> None:
        """It may have come whole: then the server is who the other waits for."""
        if self._deadline is None:  # the next request on this connection begins
            self._expect(self.head_seconds)
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._expect(None)

    def on_response_complete(self) -> None:
        """Idle connections are uvicorn's to end; one with half a request is ours."""
        super().on_response_complete()
        if self.conn.trailing_data[0]:
            self._expect(self.head_seconds)

    def pause_writing(self) -> None:
        """The client has not taken what was sent."""
        super().pause_writing()
        self._expect(self.stall_seconds)

    def resume_writing(self) -> None:
        """It has."""
        super().resume_writing()
        self._expect(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        super().connection_lost(exc)
        self._expect(None)

    def _expect(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = (
            None if seconds is None else self.loop.call_later(seconds, self.transport.abort)
        )
