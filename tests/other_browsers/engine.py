"""The engine on the page's origin, called from Python."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.other_browsers.tab import Tab
from web.verify import EVALUATE

LOAD = """
const { createEngine } = await import("/engine.js");
globalThis.engine = await createEngine(arg);
return engine.info;
"""


class TabEngine:
    def __init__(self, tab: Tab, address: str, **options: Any) -> None:
        """`options` are createEngine's; `info` is the engine's own."""
        tab.open(address)
        self._tab = tab
        self.info: dict[str, Any] = tab.run(LOAD, options)

    def tokenize(self, text: str) -> list[int]:
        ids: list[int] = self._tab.run("return engine.tokenize(arg);", text)
        return ids

    def generate(self, ids: list[int], count: int) -> list[int]:
        """Greedy continuation."""
        body = "return engine.generate(arg.ids, arg.count);"
        out: list[int] = self._tab.run(body, {"ids": ids, "count": count})
        return out

    def logits(self, ids: list[int], first: int) -> npt.NDArray[np.float32]:
        """Logits after each of ids[first:] under forced decoding."""
        body = f"return ({EVALUATE})(arg);"
        encoded = self._tab.run(body, {"ids": ids, "first": first})
        flat = np.frombuffer(base64.b64decode(encoded), np.float32)
        return flat.reshape(len(ids) - first, -1)
