"""ExportedProgram files (`.pt2`), read without running anything that is in them.

torch's own reader unpickles objects, evaluates expressions of shapes as Python, resolves operators
by any name below `torch`, imports modules of containers and loads compiled libraries. What could
make it do so is refused first, through the same reader of the archive, so that both see the same
bytes.
"""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch.export.pt2_archive._package import PT2ArchiveReader, load_pt2

from compiler.checkpoint.base import one_line
from compiler.errors import CheckpointError, UnsupportedModelError

_FILES = re.compile(
    r"models/model\.json|data/weights/(weight_\d+|model_weights_config\.json)"
    r"|data/constants/(tensor_\d+|model_constants_config\.json)|data/sample_inputs/model\.pt"
    r"|archive_format|archive_version|byteorder|\.data/(version|serialization_id)|extra/.*"
)
_WEIGHTS = {
    "data/weights/": "data/weights/model_weights_config.json",
    "data/constants/": "data/constants/model_constants_config.json",
}
_OPERATOR = re.compile(
    r"torch\.ops\.aten\.(?!from_file\b)[a-zA-Z]\w*(\.\w+)?|torch\.sym_\w+"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|l[te]|g[te]|and_|or_)"
    r"|math\.(ceil|floor|sqrt|log|log2|trunc)"
)
# Shapes: symbols such as s27, numbers and functions of them; no other name, attribute or text.
_SYMBOL = r"Symbol\('\w+'(?:, \w+=(?:True|False))*\)"
_FUNCTION = (
    r"(?:Integer|Add|Mul|Pow|Mod|Max|Min|Abs|Eq|Ne|Lt|Le|Gt|Ge|And|Or|Not|Equality|Unequality"
    r"|StrictLessThan|LessThan|StrictGreaterThan|GreaterThan|FloorDiv|CeilDiv|CleanDiv|PythonMod"
    r"|PowByNatural|FloatPow|FloatTrueDiv|IntTrueDiv|ToFloat|TruncToInt|TruncToFloat|RoundToInt"
    r"|CeilToInt|FloorToInt|Where|Identity)\("
)
_PLAIN = r"[a-z]+\d+(?!\w)|(?:int_)?oo(?!\w)|(?:True|False)(?!\w)|\d+(?:\.\d+)?|[ ()+\-/%,<>=&|~*]"
_EXPRESSION = re.compile(f"(?:{_SYMBOL}|{_FUNCTION}|{_PLAIN})*+")
_MOST_JSON = 256 << 20  # bytes of a program's text


def load_exported(path: Path) -> torch.export.ExportedProgram:
    """The program of a file that torch.export.save wrote.

    Raises CheckpointError for a damaged file or one that holds more than a program and tensors,
    UnsupportedModelError for operators other than PyTorch's own.
    """
    try:
        with PT2ArchiveReader(str(path)) as archive:
            _check(archive, path)
        torch_log = logging.getLogger("torch")
        level = torch_log.level
        torch_log.setLevel(logging.ERROR)
        try:
            program = load_pt2(str(path)).exported_programs["model"]
        finally:
            torch_log.setLevel(level)
    except (CheckpointError, UnsupportedModelError):
        raise
    except Exception as error:  # torch's reader raises many kinds, all about the file
        raise CheckpointError(
            f"{path} is not a file of torch.export.save, or is damaged ({one_line(error)}): "
            f"export it again with PyTorch {torch.__version__.partition('+')[0]}"
        ) from error
    program._guards_code = []  # program text, to be run before the graph
    return program


def _check(archive: Any, path: Path) -> None:
    names = archive.get_file_names()
    odd = sorted(name for name in names if not _FILES.fullmatch(name))
    if odd or len(set(names)) < len(names):
        raise CheckpointError(
            f"{path} holds {odd[0] if odd else 'a file twice'}, which is no part of a program "
            "and its tensors: save it again with torch.export.save and nothing else"
        )
    for folder, config in _WEIGHTS.items():
        for name, entry in json.loads(archive.read_string(config))["config"].items():
            _check_tensor(archive, path, folder, name, entry)
    if inputs := archive.read_bytes("data/sample_inputs/model.pt"):
        _check_inputs(inputs, path)
    text = archive.read_string("models/model.json")
    if len(text) > _MOST_JSON:
        raise CheckpointError(f"{path} has a program of {len(text):,} bytes: it is damaged")
    for key, value in _texts(json.loads(text)):
        if key in ("target", "as_operator") and not _OPERATOR.fullmatch(value):
            raise UnsupportedModelError(
                f"{path} uses {value}: only PyTorch's own operators (aten) can be compiled"
            )
        if key in ("in_spec", "out_spec") and not _plain_spec(json.loads(value)[1]):
            raise CheckpointError(
                f"{path} takes or returns more than tensors, tuples, lists and dicts: export a "
                "module from token ids to logits"
            )
        if key == "expr_str" and not _EXPRESSION.fullmatch(value):
            raise CheckpointError(f"{path} has a shape of {value!r}: it is damaged")


def _check_tensor(archive: Any, path: Path, folder: str, name: str, entry: Any) -> None:
    """Refuses pickled tensors, objects, and shapes larger than their data."""
    meta = entry["tensor_meta"]
    file = f"{folder}{entry['path_name']}"
    if entry["use_pickle"] or meta is None or not _FILES.fullmatch(file) or file.endswith(".json"):
        raise CheckpointError(
            f"{path} holds {name} as a pickled object, which can run code when it is read: make "
            "it a plain tensor (a parameter or buffer) and export again"
        )
    count = prod(int(size["as_int"]) for size in meta["sizes"])
    if count > archive.archive_file.get_record_size(file):
        raise CheckpointError(f"{path} holds {name} of {count:,} values in less data: damaged")


def _check_inputs(data: bytes, path: Path) -> None:
    try:
        torch.load(io.BytesIO(data), weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{path} holds example inputs that can run code when they are read: export with a "
            "plain tensor of token ids"
        ) from error


def _plain_spec(spec: Any) -> bool:
    """Whether a nest of inputs or outputs names no type that torch would import."""
    known = spec["type"] in (None, "builtins.tuple", "builtins.list", "builtins.dict")
    return known and all(_plain_spec(below) for below in spec["children_spec"])


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """Every text below `value` that has a key, with it; node metadata is for people."""
    if isinstance(value, dict):
        for key, below in value.items():
            if isinstance(below, str):
                yield key, below
            elif key != "metadata":
                yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)
