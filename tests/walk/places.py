"""Where the site is: at `llm-site serve`, or exported and put on a host of static files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from tests.browser.hosts import BASE_PATH, llm_site, nginx, python_server
from tests.browser.offline_site import other_build
from tests.browser.site import DIST
from tests.walk.line import Line, line

CURRENT = DIST.parents[1]  # the checkout: where it is run, `llm-site` is its own
HOSTS = ("serve", "http-server", "nginx")


def next_release(folder: Path) -> Path:
    """Another version of Webkiln, which differs in the page's build."""
    for package in ("web", "compiler"):
        (folder / package).symlink_to(CURRENT / package)
    (folder / "static").mkdir()
    other_build(DIST, folder / "static" / "dist")
    return folder


class Place(Protocol):
    """A site that visitors reach over a line."""

    line: Line
    path: str  # of the site on its host
    isolates: bool  # sends the headers that threads need

    def deploy(self, release: Path) -> None:
        """Puts up the site as that version of Webkiln makes it, in place of what was there."""


class Served:
    """By `llm-site serve`, which is started anew for another version."""

    path = ""
    isolates = True

    def __init__(self, between: Line, stack: ExitStack, models: Path, server: str) -> None:
        self.line = between
        self._outer = stack
        self._running = ExitStack()
        self._options = ["--models", str(models), "--allow-server", server]

    def deploy(self, release: Path) -> None:
        self._running.close()
        self._running = self._outer.enter_context(ExitStack())
        address = self._running.enter_context(llm_site(release, *self._options))
        self.line.host = port(address)


class Exported:
    """By `llm-site export` onto a host that stays as it is."""

    path = BASE_PATH.rstrip("/")

    def __init__(self, between: Line, root: Path, models: Path, server: str) -> None:
        self.line = between
        self.isolates = False
        self.root = root
        self.folder = root / BASE_PATH.strip("/")
        self._options = ["--models", str(models), "--allow-server", server]

    def deploy(self, release: Path) -> None:
        command = [sys.executable, "-m", "web.cli", "export", str(self.folder)]
        options = ["--base-path", BASE_PATH, *self._options]
        subprocess.run([*command, *options], cwd=release, check=True, capture_output=True)


def port(address: str) -> int:
    found = urlsplit(address).port
    assert found is not None
    return found


@contextmanager
def place(host: str, folder: Path, models: Path, server: str) -> Iterator[Place]:
    """The site on that host, as the version of this checkout makes it."""
    with ExitStack() as stack:
        between = stack.enter_context(line())
        if host == "serve":
            served = Served(between, stack, models, server)
            served.deploy(CURRENT)
            yield served
            return
        site = Exported(between, folder, models, server)
        site.deploy(CURRENT)
        site.isolates = host == "nginx"
        running = nginx(folder, site.folder) if site.isolates else python_server(folder)
        between.host = port(stack.enter_context(running))
        yield site
