"""Settings of JSON files that others wrote, checked where they enter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from compiler.errors import CheckpointError

T = TypeVar("T", int, float, str, dict[str, Any], list[Any])
_WORDS = {int: "a whole number", float: "a number", str: "a text", dict: "an object"}


def setting(
    raw: Mapping[str, Any],
    key: str,
    kind: type[T],
    file: Path,
    *,
    least: float = -math.inf,
    most: float = math.inf,
) -> T | None:
    """`raw[key]` of `file`; None where it is left out or null.

    Raises CheckpointError naming the file, the key and the value where it is of another type, is
    not finite or not between `least` and `most`. `float` takes whole numbers too.
    """
    value = raw.get(key)
    if value is None:
        return None
    kinds = (int, float) if kind is float else (kind,)
    if type(value) not in kinds or not _within(value, least, most):
        raise CheckpointError(
            f"{file} says {key} is {shown(value)}, expected {_WORDS.get(kind, 'a list')}"
            f"{_range(least, most)}: get it again"
        )
    known: T = value
    return known


def shown(value: object) -> str:
    """A value of a file as part of a message."""
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"


def _within(value: Any, least: float, most: float) -> bool:
    return not isinstance(value, int | float) or (least <= value <= most and abs(value) != math.inf)


def _range(least: float, most: float) -> str:
    lower = "" if least == -math.inf else f" of at least {least:g}"
    upper = "" if most == math.inf else f"{' and' if lower else ' of'} at most {most:,.0f}"
    return lower + upper
