"""A server that opens no more connections than it has files for.

uvicorn accepts whoever comes. When the process then has as many files open as it may, what it
cannot open is answered as its own fault; and its limit of connections answers 503. Here, who comes
too many waits in the system's queue until another one goes.
"""

from __future__ import annotations

import asyncio
import socket

import uvicorn

MOST = 1000  # connections; each may take some 100 kB of memory
OWN_FILES = 32  # that the process has open anyway, and a few for what it reads in passing
PAUSE = 0.05  # seconds until it looks again for room
EXHAUSTED = 1.0  # seconds until it tries again, when the system itself has no files left


class BoundedServer(uvicorn.Server):
    """Accepts connections one at a time, and none while there is no room.

    ::

        BoundedServer(uvicorn.Config(application)).run(sockets=[listener])
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's, but for the accepting."""
        await super().startup(sockets=[])
        self._files = file_limit() - OWN_FILES
        self._accepting = [asyncio.create_task(self._accept(each)) for each in sockets or []]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's, once nobody is let in any more."""
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        await super().shutdown(sockets=sockets)

    def has_room(self) -> bool:
        """A connection is a file, and has one open while it is answered. One that is gone leaves a
        task, and the file of that, for a moment."""
        connections, tasks = len(self.server_state.connections), len(self.server_state.tasks)
        return connections < MOST and 2 * (connections + 1) + tasks <= self._files

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        while True:
            while not self.has_room():
                await asyncio.sleep(PAUSE)
            try:
                connection, _ = await loop.sock_accept(listener)
            except ConnectionAbortedError:  # gone before it was its turn
                continue
            except OSError:
                await asyncio.sleep(EXHAUSTED)
                continue
            try:
                await loop.connect_accepted_socket(self._protocol, connection)
            except OSError:  # gone in this moment
                connection.close()

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


def file_limit() -> int:
    """How many files the process may open, once it has asked for as many as are of use."""
    wanted = 3 * MOST + OWN_FILES
    try:
        import resource
    except ImportError:  # Windows, where sockets are no files
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (ValueError, OSError):  # macOS has a further limit
        return soft
    return most
