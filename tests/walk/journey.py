"""What every step has at hand, and the order of the steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.browser.chat_page import ChatPage
from tests.browser.fault_server import FaultServer
from tests.walk.places import Place

TALK = 12  # tokens of an answer


@dataclass
class Journey:
    """A person, their device, and the site they visit."""

    chat: ChatPage
    place: Place
    server: FaultServer  # the one the site's owner allows
    next: Path  # the version of Webkiln that comes after this one
    backend: str
    phone: bool
    folder: Path  # for what the browser saves

    @property
    def query(self) -> dict[str, str]:
        """SwiftShader is an emulated card, which the page passes over unless it is asked for."""
        return {"threads": "2", **({"backend": "webgpu"} if self.backend == "webgpu" else {})}

    @property
    def where(self) -> str:
        """It runs, as the page says it."""
        on_card = self.backend == "webgpu"
        return "graphics card (WebGPU)" if on_card else "processor (WebAssembly, 2 threads)"

    def get(self, testid: str) -> Locator:
        return self.chat.get(testid)

    def short_answers(self) -> None:
        self.chat.configure(temperature=0, max_tokens=TALK)

    def new_chat(self) -> None:
        self.get("new-chat").click()
        expect(self.get("answer")).to_have_count(0)


Step = Callable[[Journey], None]
