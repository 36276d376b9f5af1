"""One browser tab as tests drive it, whatever the browser and the protocol behind it."""

from __future__ import annotations

from typing import Any, Protocol

# Slow is not wrong: a browser that starts, compiles and computes on two cores.
PATIENCE = 120  # seconds


class BrowserError(Exception):
    """The browser could not do what it was told; the message is its own."""


class Tab(Protocol):
    """Every method raises BrowserError."""

    @property
    def version(self) -> str:
        """Name and version of the browser."""

    def open(self, address: str) -> None:
        """Returns when the page has fired its load event."""

    def reload(self) -> None: ...

    def run(self, body: str, argument: Any = None) -> Any:
        """The value of an async function with this body; `arg` in it is `argument`, as JSON."""

    def click(self, selector: str) -> None:
        """A press of the mouse in the middle of the element."""

    def fill(self, selector: str, text: str) -> None:
        """Typed into a field in place of what it holds."""

    @property
    def problems(self) -> list[str]:
        """Errors on the console; empty where the driver does not tell."""
