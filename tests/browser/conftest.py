"""One browser for each module, and the chat page with the tiny model on a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.chat_page import ChatPage, visit
from tests.browser.fault_server import FaultServer, fault_server
from tests.browser.offline_site import BELOW, Host, deploy, hosting, write_models
from tests.browser.site import write_files
from tests.browser.wasm_miniature import WasmMiniature
from web.browser import browser
from web.verify import serving

NO_GPU = 'Object.defineProperty(navigator, "gpu", { value: undefined });'
TALK = 12  # tokens of an answer at the slow miniature
ANSWER = 24  # tokens: the tiny model hardly ever ends by itself


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as instance:
        yield instance


@pytest.fixture(scope="module")
def tiny_site(tiny_bundle: Path) -> Iterator[str]:
    with serving(tiny_bundle.parent) as address:
        yield address


@pytest.fixture(scope="module")
def mini_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The miniature, which needs no compiler: variants f32, wasm-threads and wasm."""
    with serving(write_models(tmp_path_factory.mktemp("site"))) as address:
        yield address


@pytest.fixture(scope="module")
def slow_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The miniature at some 100 tokens a second, under two names."""
    mini = WasmMiniature(stop_tokens=[], busy=3_000_000).files()
    other = {path.replace("/mini/", "/other/"): content for path, content in mini.items()}
    with serving(write_files({**mini, **other}, tmp_path_factory.mktemp("slow"))) as address:
        yield address


@pytest.fixture(scope="module")
def faults() -> Iterator[FaultServer]:
    """A server that the page may be told to ask."""
    with fault_server() as server:
        yield server


@pytest.fixture
def talker(chromium: Browser, slow_site: str) -> Iterator[ChatPage]:
    """Somebody at the slow miniature, loaded on the processor, with short and greedy answers."""
    with visit(chromium, slow_site) as chat:
        chat.inject(NO_GPU)
        chat.climb(context="4096")
        chat.start()
        chat.configure(temperature=0, max_tokens=TALK)
        yield chat
        chat.assert_clean()


@pytest.fixture
def climber(chromium: Browser, mini_site: str) -> Iterator[ChatPage]:
    """Somebody whose device the test makes up; the model is the miniature."""
    with visit(chromium, mini_site) as page:
        yield page
        page.assert_clean()


@pytest.fixture
def visitor(chromium: Browser, tiny_site: str) -> Iterator[ChatPage]:
    """Somebody who has never been here."""
    with visit(chromium, tiny_site) as page:
        yield page
        page.assert_clean()


@pytest.fixture(scope="module")
def loaded(chromium: Browser, tiny_site: str) -> Iterator[ChatPage]:
    """A page with the model, for all tests that do not care what was before."""
    with visit(chromium, tiny_site) as page:
        page.load()
        page.settle()
        yield page


@pytest.fixture
def chat(loaded: ChatPage) -> Iterator[ChatPage]:
    """An empty conversation; answers are greedy and 24 tokens long."""
    loaded.get("new-chat").click()
    loaded.configure(temperature=0, max_tokens=ANSWER)
    loaded.requests.clear()
    loaded.problems.clear()
    yield loaded
    loaded.assert_clean()


@pytest.fixture(scope="module")
def plain_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature's folder."""
    return write_models(tmp_path_factory.mktemp("plain"))


@pytest.fixture
def plain_site(plain_models: Path, tmp_path: Path) -> Path:
    """A site as files in a folder, which a test may damage or replace."""
    folder = tmp_path / "root" / BELOW
    deploy(plain_models, folder)
    return folder


@pytest.fixture
def plain_host(plain_site: Path, tmp_path: Path) -> Iterator[Host]:
    """They lie below another site, on a host that sets no headers of its own."""
    with hosting(tmp_path / "root") as host:
        yield host


@pytest.fixture
def guest(chromium: Browser, plain_host: Host) -> Iterator[ChatPage]:
    """A first visit to that host, service worker and all."""
    with visit(chromium, plain_host.address, service_workers="allow") as page:
        yield page
        assert page.strangers() == []
