"""A site as plain files below a folder, as any static host serves them, with faults to order."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import Frame, Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.site import DIST, write_files
from tests.browser.wasm_miniature import WasmMiniature
from web.built import Built
from web.export import export_site
from web.models import Models
from web.options import SiteOptions
from web.site import Site

BELOW = "some/path"  # the site lies below another one
OTHER = "0123456789ab"  # version of the other build


def write_models(root: Path) -> Path:
    """The miniature, which needs no compiler."""
    return write_files(WasmMiniature(stop_tokens=[]).files(), root)


def deploy(
    models: Path, folder: Path, dist: Path = DIST, options: SiteOptions | None = None
) -> None:
    """What `llm-site export` writes, and nothing of what was there before."""
    shutil.rmtree(folder, ignore_errors=True)
    options = options or SiteOptions(base_path=f"/{BELOW}/")
    export_site(Site(Models(models), Built(dist), options), folder)


def version(folder: Path) -> str:
    """Of a build, or of a site."""
    found: str = json.loads((folder / "app.json").read_bytes())["version"]
    return found


def other_build(dist: Path, folder: Path) -> Path:
    """Another version of the same build, whose page says so in its title."""
    shutil.copytree(dist, folder)
    old = version(dist)
    (folder / "assets" / old).rename(folder / "assets" / OTHER)
    script = folder / "assets" / OTHER / "page.js"
    script.write_text(script.read_text() + "document.title = 'Other';")
    for name in ("engine.js", "app.json"):
        (folder / name).write_text((folder / name).read_text().replace(old, OTHER))
    worker = folder / "sw.js"
    worker.write_text(worker.read_text() + "// another version's")
    relist(folder)
    return folder


def relist(folder: Path) -> None:
    """Has app.json tell the truth again."""
    listed = json.loads((folder / "app.json").read_bytes())
    for name, entry in listed["files"].items():
        data = (folder / name).read_bytes()
        entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    (folder / "app.json").write_text(json.dumps(listed))


class Host:
    """Serves a folder as `python -m http.server` does."""

    def __init__(self, folder: Path, headers: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.headers = headers or {}
        self.cut: set[str] = set()  # names of files for which the connection breaks off
        self.open = threading.Event()  # while it is not set, app.json takes its time
        self.open.set()
        self.requests: list[str] = []
        self._port = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def address(self) -> str:
        """Of the site below it."""
        return f"{self.origin}/{BELOW}"

    def start(self) -> None:
        handler = partial(Handler, self, directory=str(self.folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Whoever connects now is refused."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
        self._server = None


class Handler(SimpleHTTPRequestHandler):
    def __init__(self, host: Host, *args: Any, **options: Any) -> None:
        self.host = host
        super().__init__(*args, **options)

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.host.requests.append(path)
        if path.endswith("/app.json"):
            self.host.open.wait()
        if Path(path).name not in self.host.cut:
            super().do_GET()

    def end_headers(self) -> None:
        for name, value in self.host.headers.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are counted, not printed."""


@contextmanager
def hosting(folder: Path, headers: dict[str, str] | None = None) -> Iterator[Host]:
    host = Host(folder, headers)
    host.start()
    try:
        yield host
    finally:
        host.stop()


def kept(chat: ChatPage, page: Page | None = None) -> None:
    """Waits until the page says that it can do without a network."""
    state = (page or chat.page).get_by_test_id("offline-state")
    expect(state).to_have_attribute("data-state", "kept")


def arrive(chat: ChatPage, **query: str) -> None:
    """Opens the page and waits for its one reload. Nothing may be asked of it before: to the page
    a script of Playwright's is a person who has begun to use it."""
    opened: list[Frame] = []

    def again(frame: Frame) -> bool:
        opened.append(frame)
        return len(opened) == 2

    with chat.page.expect_event("framenavigated", again):
        wanted = urlencode(query or {"backend": "wasm", "threads": "2"})
        chat.page.goto(f"{chat.address}/?{wanted}", wait_until="commit")
    assert chat.page.evaluate("crossOriginIsolated")


def talk(chat: ChatPage) -> None:
    chat.configure(temperature=0, max_tokens=8)
    assert len(chat.ask("hello")) > 0
    assert len(chat.ask("and again")) > 0
