"""Every flow of the page in one journey: on each kind of host, each backend, desktop and phone."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.chat_page import visit
from tests.browser.fault_server import fault_server
from tests.browser.test_accessibility import DESKTOP, PHONE
from tests.support.tiers import sampled
from tests.walk.journey import Journey
from tests.walk.models import write_models
from tests.walk.places import HOSTS, next_release, place
from tests.walk.steps import STEPS

DEVICES: dict[str, dict[str, Any]] = {"desktop": DESKTOP, "phone": PHONE}
JOURNEYS = ["-".join(each) for each in product(HOSTS, ("webgpu", "wasm"), DEVICES)]
SAMPLE = ("http-server-wasm-phone",)
CLIPBOARD = ["clipboard-read", "clipboard-write"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return next_release(tmp_path_factory.mktemp("newer"))


@pytest.mark.parametrize("name", sampled(JOURNEYS, SAMPLE))
def test_journey(name: str, chromium: Browser, models: Path, newer: Path, tmp_path: Path) -> None:
    host, backend, device = name.rsplit("-", 2)
    root = tmp_path / "root"
    root.mkdir()
    options = {**DEVICES[device], "permissions": CLIPBOARD, "color_scheme": "light"}
    with (
        fault_server() as server,
        place(host, root, models, server.origin) as site,
        visit(chromium, site.line.origin + site.path, service_workers="allow", **options) as chat,
    ):
        journey = Journey(chat, site, server, newer, backend, device == "phone", tmp_path)
        for step in STEPS:
            try:
                step(journey)
            except BaseException as error:
                error.add_note(f"The journey {name} ended at: {step.__name__}")
                raise
        chat.assert_no_problems()
        assert all(url.startswith(server.origin) for url in chat.strangers())
