"""Arrays to a script in a page and back, as base64."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from playwright.sync_api import Page

Array = npt.NDArray[Any]

FUNCTIONS = """() => {
  globalThis.bytes = (s) => Uint8Array.from(atob(s), (c) => c.charCodeAt(0));
  globalThis.text64 = (array) => {
    let s = "";
    for (let i = 0; i < array.length; i += 8192)
      s += String.fromCharCode(...array.subarray(i, i + 8192));
    return btoa(s);
  };
}"""


def prepare(page: Page) -> None:
    """Defines `bytes`, from base64, and `text64`, to it, for the scripts of `exchange`."""
    page.evaluate(FUNCTIONS)


def exchange(
    page: Page,
    script: str,
    arrays: dict[str, Array],
    pad: Callable[[bytes], bytes] = bytes,
    **argument: Any,
) -> dict[str, Array]:
    """`arrays` as `script` leaves them: it takes them padded as `buffers` beside the rest of its
    argument, and returns them in order, with or without the padding."""
    inputs = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    buffers = [base64.b64encode(pad(array.tobytes())).decode() for array in inputs.values()]
    results = page.evaluate(script, {"buffers": buffers, **argument})
    return {
        name: np.frombuffer(base64.b64decode(result)[: array.nbytes], array.dtype).reshape(
            array.shape
        )
        for (name, array), result in zip(inputs.items(), results, strict=True)
    }
