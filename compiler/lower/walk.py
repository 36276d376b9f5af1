"""Statements of a TIR function, in order: TVM 0.27 has no visitor for Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Attributes of TIR statements that hold further statements.
_CHILDREN = ("body", "block", "then_case", "else_case", "init", "seq")


def statements(node: Any) -> Iterator[Any]:
    """`node` and every statement inside it."""
    yield node
    for name in _CHILDREN:
        child = getattr(node, name, None)
        if child is not None:
            for item in child if name == "seq" else [child]:
                yield from statements(item)
