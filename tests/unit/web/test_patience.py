"""The account of seconds, by a clock that only the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest
import uvicorn
from starlette.applications import Starlette
from uvicorn.server import ServerState

from web.patience import LEAST_RATE, STALL_SECONDS, PatientProtocol


class Clock:
    """As much of an event loop as timers need."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, action: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.now + seconds, action))
        return self.timers[-1]

    def wait(self, seconds: float) -> None:
        """Whatever falls due meanwhile is done when it does."""
        end = self.now + seconds
        while due := [timer for timer in self.timers if timer.at <= end and not timer.over]:
            first = min(due, key=lambda timer: timer.at)
            self.now, first.over = first.at, True
            first.action()
        self.now = end


class Timer:
    def __init__(self, at: float, action: Callable[[], None]) -> None:
        self.at = at
        self.action = action
        self.over = False

    def cancel(self) -> None:
        self.over = True


class Connection:
    """A transport to somebody who reads when the test says so."""

    def __init__(self) -> None:
        self.unread = 0
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return self.unread

    def set_write_buffer_limits(self, high: int) -> None:
        assert high == 0

    def get_extra_info(self, name: str) -> None:
        return None

    def abort(self) -> None:
        self.aborted = True


class Reader:
    """Takes an endless answer, in pieces."""

    def __init__(self) -> None:
        self.clock, self.connection = Clock(), Connection()
        config = uvicorn.Config(Starlette(), ws="none")
        loop = cast(asyncio.AbstractEventLoop, self.clock)
        self.protocol = PatientProtocol(config, ServerState(), {}, loop)
        self.protocol.connection_made(cast(asyncio.Transport, self.connection))
        self.protocol._expect_head(None)  # the request has come

    def take(self, piece: int, every: float) -> None:
        """Waits so long, then takes so much at once; the server then sends as much again."""
        self.connection.unread = piece
        self.protocol.pause_writing()
        self.clock.wait(every)
        if not self.connection.aborted:
            self.connection.unread = 0
            self.protocol.resume_writing()


@pytest.fixture
def reader() -> Reader:
    return Reader()


def test_who_takes_nothing_is_dropped_after_a_minute(reader: Reader) -> None:
    reader.take(1 << 16, every=STALL_SECONDS - 1)
    assert not reader.connection.aborted
    reader.take(1 << 16, every=STALL_SECONDS)
    assert reader.connection.aborted


def test_a_little_now_and_then_is_not_enough(reader: Reader) -> None:
    """A buffer every 59 seconds: a quarter of the least rate."""
    for _ in range(3):
        reader.take(1 << 16, every=59)
    assert reader.connection.aborted


@pytest.mark.parametrize(("share", "stays"), [(0.9, False), (1.1, True)])
def test_the_least_rate_decides_in_the_long_run(reader: Reader, share: float, stays: bool) -> None:
    piece = 1 << 14
    for _ in range(1000):
        reader.take(piece, every=piece / (share * LEAST_RATE))
    assert reader.connection.aborted is not stays


def test_a_tunnel_is_forgiven_and_a_fast_start_saves_nothing_up(reader: Reader) -> None:
    for _ in range(1000):
        reader.take(1 << 16, every=0.01)
    reader.take(1 << 16, every=50)
    assert not reader.connection.aborted
    reader.take(1 << 16, every=STALL_SECONDS)
    assert reader.connection.aborted


def test_what_is_taken_of_a_piece_counts(reader: Reader) -> None:
    """A large piece takes longer than a minute at a rate that is high enough."""
    reader.connection.unread = 1 << 20
    reader.protocol.pause_writing()
    while reader.connection.unread:
        reader.clock.wait(1)
        reader.connection.unread = max(0, reader.connection.unread - int(1.1 * LEAST_RATE))
    assert reader.clock.now > 2 * STALL_SECONDS
    assert not reader.connection.aborted
