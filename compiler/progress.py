"""How a build tells a person where it is.

Stages are announced by compiler/build.py, one at a time::

    with progress.stage("quantize", total=len(tensors)) as stage:
        for name in tensors:
            ...
            stage.advance(1, name)
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichBars


class Stage(Protocol):
    """The work in hand."""

    def advance(self, count: int = 1, note: str = "") -> None:
        """`count` more of the total are done; `note` says what is being worked on."""


class Progress(Protocol):
    """Where stages are shown."""

    def stage(self, name: str, total: int | None = None) -> AbstractContextManager[Stage]:
        """Shows `name` until the block ends; without `total` there is a clock, but no bar."""


class SilentProgress:
    """Shows nothing: for tests and for use as a library."""

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:
        yield _SilentStage()


class LineProgress:
    """A line when a stage begins and one when it ends: for logs, where bars cannot be redrawn."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:
        self._console.print(f"{name} ...", highlight=False, markup=False)
        start = time.monotonic()
        yield _SilentStage()
        seconds = time.monotonic() - start
        self._console.print(f"{name}: {seconds:.1f} s", highlight=False, markup=False)


class BarProgress:
    """A bar per stage, for terminals. Use as a context manager around the build."""

    def __init__(self, console: Console) -> None:
        self._bars = RichBars(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}", markup=True),
            console=console,
        )

    def __enter__(self) -> BarProgress:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:
        task = self._bars.add_task(name, total=total, note="")
        yield _BarStage(self._bars, task)
        # A stage without a total ends as one of one, so that its bar stops pulsing.
        done = 1 if total is None else total
        self._bars.update(task, total=done, completed=done, note="")


class _SilentStage:
    def advance(self, count: int = 1, note: str = "") -> None:
        pass


class _BarStage:
    def __init__(self, bars: RichBars, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def advance(self, count: int = 1, note: str = "") -> None:
        self._bars.update(self._task, advance=count, note=note)


@contextmanager
def shown_on(console: Console) -> Iterator[Progress]:
    """Bars on a terminal, lines elsewhere."""
    if not console.is_terminal:
        yield LineProgress(console)
        return
    with BarProgress(console) as bars:
        yield bars
