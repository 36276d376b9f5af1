"""Writes static/src/plan.ts, the browser's view of schema.py.

    python -m compiler.bundle.typescript [--check]

The source text is read rather than the classes, because comments are half of the contract and
only the text has them.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

SCHEMA = Path(__file__).with_name("schema.py")
TARGET = Path(__file__).parents[2] / "static" / "src" / "plan.ts"
HEADER = "// Generated from compiler/bundle/schema.py; do not edit.\n"
WIDTH = 100  # as in static/biome.json

SCALARS = {"int": "number", "float": "number", "str": "string", "bool": "boolean", "None": "null"}


def generate(schema: Path = SCHEMA) -> str:
    """The whole of plan.ts."""
    source = schema.read_text(encoding="utf-8")
    lines = source.splitlines()
    blocks = [
        block for node in ast.parse(source).body if (block := _declaration(node, lines)) is not None
    ]
    return HEADER + "\n" + "\n".join(blocks)


def _declaration(node: ast.stmt, lines: list[str]) -> str | None:
    """One exported declaration, or None for what has no counterpart (imports, docstring)."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        comment = _comment_above(node, lines) or _trailing_comment(node, lines)
        return _jsdoc(comment) + _constant(node.targets[0].id, node.value)
    if not isinstance(node, ast.ClassDef):
        return None
    doc = _jsdoc(ast.get_docstring(node))
    if any(isinstance(base, ast.Name) and base.id == "IntEnum" for base in node.bases):
        body = "".join(_enum_member(item, lines) for item in node.body)
        return f"{doc}export const {node.name} = {{\n{body}}} as const;\n"
    body = "".join(_field(item, lines) for item in node.body)
    return f"{doc}export interface {node.name} {{\n{body}}}\n"


def _constant(name: str, value: ast.expr) -> str:
    text = ast.unparse(value)
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        text = json.dumps(value.value)
    line = f"export const {name} = {text};\n"
    return line if len(line) <= WIDTH + 1 else f"export const {name} =\n  {text};\n"


def _enum_member(item: ast.stmt, lines: list[str]) -> str:
    if not (isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name)):
        return ""
    comment = _jsdoc(_trailing_comment(item, lines), "  ")
    return f"{comment}  {item.targets[0].id}: {ast.unparse(item.value)},\n"


def _field(item: ast.stmt, lines: list[str]) -> str:
    if not (isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)):
        return ""
    comment = _jsdoc(_trailing_comment(item, lines), "  ")
    return f"{comment}  {item.target.id}: {_type(item.annotation)};\n"


def _type(annotation: ast.expr) -> str:
    """A TypeScript type. Arrays are `T[]`, or `(A | B)[]` when T is a union."""
    match annotation:
        case ast.Constant(value=None):
            return "null"
        case ast.Name(id=name):
            return SCALARS.get(name, name)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return f"{_type(left)} | {_type(right)}"
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            inner = _type(item)
            return f"({inner})[]" if "|" in inner else f"{inner}[]"
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, value])):
            return f"Record<{_type(key)}, {_type(value)}>"
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            options = choices.elts if isinstance(choices, ast.Tuple) else [choices]
            return " | ".join(ast.unparse(option).replace("'", '"') for option in options)
    raise TypeError(f"schema.py uses {ast.unparse(annotation)}, which has no TypeScript form here")


def _trailing_comment(node: ast.stmt, lines: list[str]) -> str | None:
    """The comment after a statement; its value holds no `#`, or the split would be wrong."""
    _, mark, comment = lines[(node.end_lineno or node.lineno) - 1].partition("  # ")
    return comment if mark else None


def _comment_above(node: ast.stmt, lines: list[str]) -> str | None:
    return "\n".join(reversed(list(_comments_upward(node.lineno - 2, lines)))) or None


def _comments_upward(index: int, lines: list[str]) -> Iterator[str]:
    while index >= 0 and lines[index].startswith("# "):
        yield lines[index].removeprefix("# ")
        index -= 1


def _jsdoc(text: str | None, indent: str = "") -> str:
    if not text:
        return ""
    single = f"{indent}/** {text} */\n"
    if "\n" not in text and len(single) <= WIDTH + 1:
        return single
    body = "".join(f"{indent} * {line}".rstrip() + "\n" for line in text.splitlines())
    return f"{indent}/**\n{body}{indent} */\n"


def main(arguments: list[str]) -> int:
    text = generate()
    if arguments != ["--check"]:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    print(f"{TARGET} is out of date: run python -m compiler.bundle.typescript", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
