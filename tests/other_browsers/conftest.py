"""Each test in each browser; a browser and a first visit for each module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.other_browsers import programs
from tests.other_browsers.firefox import firefox_tab
from tests.other_browsers.tab import Tab
from tests.other_browsers.visitor import Visitor, watched_site
from tests.other_browsers.webkit import webkit_tab

Launch = Callable[[], AbstractContextManager[Tab]]


@dataclass(frozen=True)
class Kind:
    """A browser, and what it has here."""

    launch: Launch
    threads: bool


def _firefox() -> AbstractContextManager[Tab]:
    program = programs.firefox()
    if program is None:
        pytest.skip("there is no Firefox here: make test-browsers installs it on Debian")
    return firefox_tab(program)


def _webkit(**environment: str) -> AbstractContextManager[Tab]:
    found = programs.webkit()
    if found is None:
        pytest.skip("there is no WebKitWebDriver here: make test-browsers installs it on Debian")
    return webkit_tab(found, **environment)


def _webkit_with_threads() -> AbstractContextManager[Tab]:
    """As Safari has it. WebKitGTK up to 2.50 calls the page isolated and yet has no
    SharedArrayBuffer (WebKit bug 317847); its JavaScript engine has it when told so."""
    return _webkit(JSC_useSharedArrayBuffer="1")


KINDS = {
    "firefox": Kind(_firefox, threads=True),
    "webkit": Kind(_webkit, threads=False),
    "webkit-threads": Kind(_webkit_with_threads, threads=True),
}


@pytest.fixture(scope="module", params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def tab(kind: Kind) -> Iterator[Tab]:
    with kind.launch() as opened:
        yield opened


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tiny model was compiled from: checkpoints/tiny, beside models/tiny."""
    from tests.support.bundles import TINY, compile_tiny  # PyTorch only where it is needed

    root = tmp_path_factory.mktemp("tiny")
    compile_tiny(root / "models", root / "checkpoints")
    return root / "checkpoints" / TINY


@pytest.fixture(scope="session")
def bundle(checkpoint: Path) -> Path:
    return checkpoint.parents[1] / "models" / checkpoint.name


@pytest.fixture(scope="module")
def site(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with watched_site(bundle.parent, tmp_path_factory.mktemp("site")) as address:
        yield address


@pytest.fixture(scope="module")
def visitor(tab: Tab, site: str) -> Visitor:
    return Visitor(tab, site)
