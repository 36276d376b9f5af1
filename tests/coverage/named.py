"""Lines of the compiler that name an architecture: there should be few, in known places."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.coverage.configs import NAMES

ROOT = Path("compiler")
# Files that may: all of the first counts, as its adapters are nothing else; the others have the
# names that file formats give models and their tensors.
ADAPTERS = ROOT / "trace" / "legacy.py"
GGUF = (ROOT / "checkpoint" / "gguf_model.py", ROOT / "checkpoint" / "gguf_tokenizer.py")
MLC = (ROOT / "mlc" / "write.py",)

_TYPES = {name.replace("-", "").replace("_", "") for name in NAMES}
_ENDS = ("Attention", "ForCausalLM", "LMHeadModel")


def naming(path: Path) -> list[int]:
    """Lines with an architecture's name in a string, comments and docstrings aside."""
    return sorted({node.lineno for node in _strings(ast.parse(path.read_text())) if _named(node)})


def _strings(tree: ast.AST) -> Iterator[ast.Constant]:
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node


def _named(node: ast.Constant) -> bool:
    text = str(node.value)
    plain = text.lower().replace("-", "").replace("_", "").replace(".", "")
    return plain in _TYPES or (text.endswith(_ENDS) and text[0].isupper())
