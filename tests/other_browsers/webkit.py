"""WebKit's engine (WebKitGTK's MiniBrowser) through W3C WebDriver."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from tests.other_browsers.tab import PATIENCE, BrowserError

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # W3C WebDriver, section 12.1
RUN = """
const done = arguments[arguments.length - 1];
(async (arg) => { %s })(arguments[0]).then(
  (value) => done({ value: value ?? null }),
  (error) => done({ error: `${error}` }),
);
"""

UNREACHABLE = (
    "no such element",
    "stale element reference",
    "element not interactable",
    "element click intercepted",
)


class Unreachable(BrowserError):
    """An element is not there, or something else is before it."""


class WebKitTab:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        session = self._post("", {"capabilities": {}})
        found = session["capabilities"]
        self.version = f"{found['browserName']} {found['browserVersion']}"
        self._session = f"/{session['sessionId']}"
        self._post(f"{self._session}/timeouts", {"script": PATIENCE * 1000})

    def close(self) -> None:
        self._client.delete(f"/session{self._session}")

    def open(self, address: str) -> None:
        self._post(f"{self._session}/url", {"url": address})

    def reload(self) -> None:
        self._post(f"{self._session}/refresh", {})

    def run(self, body: str, argument: Any = None) -> Any:
        command = {"script": RUN % body, "args": [argument]}
        answer = self._post(f"{self._session}/execute/async", command)
        if "error" in answer:
            raise BrowserError(answer["error"])
        return answer["value"]

    def click(self, selector: str) -> None:
        self._act(selector, "click", {})

    def fill(self, selector: str, text: str) -> None:
        self._act(selector, "clear", {})
        self._act(selector, "value", {"text": text})

    @property
    def problems(self) -> list[str]:
        """Its driver has no command that tells."""
        return []

    def _act(self, selector: str, action: str, command: Mapping[str, Any]) -> None:
        """Waits until the element can be reached, as a person would: a dialog may be closing."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                find = {"using": "css selector", "value": selector}
                found = self._post(f"{self._session}/element", find)
                self._post(f"{self._session}/element/{found[ELEMENT]}/{action}", command)
                return
            except Unreachable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _post(self, path: str, command: Mapping[str, Any]) -> Any:
        answer = self._client.post(f"/session{path}", json=command).json()["value"]
        if isinstance(answer, dict) and "stacktrace" in answer:
            kind = Unreachable if answer["error"] in UNREACHABLE else BrowserError
            raise kind(f"{answer['error']}: {path}: {answer['message']}")
        return answer


@contextmanager
def webkit_tab(programs: tuple[str, str], **environment: str) -> Iterator[WebKitTab]:
    """A tab of a browser with nothing stored; `environment` is added to what it inherits."""
    driver, display_server = programs
    with _display(display_server) as display:
        port = _free_port()
        variables = {**os.environ, "DISPLAY": display, **environment}
        with (
            _running([driver, f"--port={port}"], env=variables),
            # The driver's own timeout comes first: it says what took too long.
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE + 10) as client,
        ):
            _wait_for(client)
            tab = WebKitTab(client)
            try:
                yield tab
            finally:
                tab.close()


@contextmanager
def _running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, text=True, **options) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def _display(program: str) -> Iterator[str]:
    """A display without a screen: the driver knows no headless mode."""
    # -displayfd 1: takes a free number, and prints it once clients may connect.
    command = [program, "-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    with _running(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout
        number = server.stdout.readline().strip()
        if not number:
            raise BrowserError(f"{program} ended without opening a display")
        yield f":{number}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(driver: httpx.Client) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            driver.get("/status")
            return
        except httpx.ConnectError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
