"""Firefox through Puppeteer and WebDriver BiDi: Playwright drives only its own builds of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.other_browsers.tab import PATIENCE, BrowserError

BRIDGE = Path(__file__).with_name("firefox.mjs")


class FirefoxTab:
    """Speaks to firefox.mjs, a line of JSON at a time."""

    def __init__(self, bridge: subprocess.Popen[str]) -> None:
        assert bridge.stdin
        assert bridge.stdout
        self._in, self._out = bridge.stdin, bridge.stdout
        self.version: str = self._call("version")

    def open(self, address: str) -> None:
        self._call("open", address)

    def reload(self) -> None:
        self._call("reload")

    def run(self, body: str, argument: Any = None) -> Any:
        return self._call("run", body, argument)

    def click(self, selector: str) -> None:
        self._call("click", selector)

    def fill(self, selector: str, text: str) -> None:
        self._call("fill", selector, text)

    @property
    def problems(self) -> list[str]:
        found: list[str] = self._call("problems")
        return found

    def _call(self, method: str, *args: Any) -> Any:
        self._in.write(json.dumps({"method": method, "args": args}) + "\n")
        self._in.flush()
        line = self._out.readline()
        if not line:
            raise BrowserError("firefox.mjs has ended; make test-browsers installs what it needs")
        answer = json.loads(line)
        if "error" in answer:
            raise BrowserError(answer["error"])
        return answer["value"]


@contextmanager
def firefox_tab(program: str) -> Iterator[FirefoxTab]:
    """A tab of a Firefox with a profile of its own, without a window."""
    command = ["node", str(BRIDGE), program, str(PATIENCE)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as bridge:
        # Leaving closes the pipe, at which the bridge closes Firefox and ends.
        yield FirefoxTab(bridge)
