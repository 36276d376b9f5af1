"""Manifest and plan as JSON text, and back.

Reading is strict: what the schema does not name, or names differently, is refused with the file,
the key and the next step. Decoders are built once per type, so a plan of thousands of steps costs
milliseconds.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args, get_origin, get_type_hints

from compiler.bundle.names import NAME
from compiler.bundle.schema import FORMAT, Manifest, Plan
from compiler.errors import BundleError

Decoder = Callable[[object], Any]


class _MismatchError(Exception):
    """A value that does not fit the schema; containers add their key on the way up."""

    def __init__(self, message: str) -> None:
        self.message = message
        self.path: list[str] = []

    def inside(self, key: str) -> _MismatchError:
        self.path.insert(0, key)
        return self


def to_json(document: Manifest | Plan) -> bytes:
    """Compact UTF-8 JSON; the same document always gives the same bytes."""
    text = json.dumps(
        document,
        default=_field_values,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )
    return text.encode()


def manifest_from_json(data: bytes, file: str = "manifest.json") -> Manifest:
    """The manifest, or a BundleError that names `file` and the offending key."""
    manifest: Manifest = _document(Manifest, data, file)
    for name in manifest.files:
        if not NAME.fullmatch(name):
            raise _refused(file, "files", f"{_shown(name)} is no name of a bundle's file")
    return manifest


def plan_from_json(data: bytes, file: str) -> Plan:
    """The plan, or a BundleError that names `file` and the offending key."""
    plan: Plan = _document(Plan, data, file)
    return plan


def _field_values(value: object) -> dict[str, Any]:
    if not dataclasses.is_dataclass(value):
        raise TypeError(f"{value!r} has no place in a bundle")
    return vars(value)


def _document(kind: type, data: bytes, file: str) -> Any:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise BundleError(f"{file}: not JSON ({error}); compile the model again") from error
    _check_format(value, file)
    try:
        return _decoder(kind)(value)
    except _MismatchError as error:
        where = ".".join(error.path) or "the top level"
        raise _refused(file, where, error.message) from None


def _refused(file: str, where: str, problem: str) -> BundleError:
    return BundleError(
        f"{file}: at {where}: {problem}; the file was altered or written by another version of "
        "webkiln: compile the model again"
    )


def _check_format(value: object, file: str) -> None:
    """Checked before the keys, because a newer format may well have other keys."""
    found = value.get("format") if isinstance(value, dict) else None
    if type(found) is int and found != FORMAT:
        action = "upgrade webkiln" if found > FORMAT else "compile the model again"
        raise BundleError(
            f"{file}: format {found}, but this version of webkiln reads format {FORMAT}: {action}"
        )


@functools.cache
def _decoder(kind: Any) -> Decoder:
    """The function that checks and converts one JSON value to `kind`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _record_decoder(kind)
    if origin is list:
        return _list_decoder(_decoder(arguments[0]))
    if origin is dict:
        return _map_decoder(_decoder(arguments[1]))
    if origin is Literal:
        return _literal_decoder(arguments)
    if origin is types.UnionType and arguments[1:] == (types.NoneType,):
        inner = _decoder(arguments[0])
        return lambda value: None if value is None else inner(value)
    if kind in _SCALARS:
        return _scalar_decoder(kind)
    raise TypeError(f"the schema uses {kind!r}, which the codec does not know")


# JSON types accepted for a field. `type() is`, not isinstance: True is no number here.
_SCALARS: dict[type, tuple[type, ...]] = {
    int: (int,),
    float: (float, int),
    str: (str,),
    bool: (bool,),
}


def _scalar_decoder(kind: type) -> Decoder:
    accepted = _SCALARS[kind]

    def decode(value: object) -> object:
        if type(value) not in accepted:
            raise _MismatchError(f"expected {kind.__name__}, found {_shown(value)}")
        return value

    return decode


def _literal_decoder(choices: tuple[object, ...]) -> Decoder:
    def decode(value: object) -> object:
        if value not in choices or type(value) is bool:
            wanted = " or ".join(json.dumps(choice) for choice in choices)
            raise _MismatchError(f"expected {wanted}, found {_shown(value)}")
        return value

    return decode


def _list_decoder(item: Decoder) -> Decoder:
    def decode(value: object) -> list[Any]:
        if not isinstance(value, list):
            raise _MismatchError(f"expected a list, found {_shown(value)}")
        return _decode_all(item, ((str(i), v) for i, v in enumerate(value)))

    return decode


def _map_decoder(item: Decoder) -> Decoder:
    def decode(value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _MismatchError(f"expected an object, found {_shown(value)}")
        return dict(zip(value, _decode_all(item, value.items()), strict=True))

    return decode


def _decode_all(item: Decoder, entries: Iterable[tuple[str, object]]) -> list[Any]:
    decoded = []
    for key, value in entries:
        try:
            decoded.append(item(value))
        except _MismatchError as error:
            raise error.inside(key) from None
    return decoded


def _record_decoder(kind: Any) -> Decoder:
    hints = get_type_hints(kind)
    decoders = {field.name: _decoder(hints[field.name]) for field in dataclasses.fields(kind)}

    def decode(value: object) -> Any:
        if not isinstance(value, dict):
            raise _MismatchError(f"expected an object, found {_shown(value)}")
        if value.keys() != decoders.keys():
            raise _key_mismatch(value.keys(), decoders.keys())
        values = {}
        for key, decoder in decoders.items():
            try:
                values[key] = decoder(value[key])
            except _MismatchError as error:
                raise error.inside(key) from None
        return kind(**values)

    return decode


def _key_mismatch(found: Iterable[str], wanted: Iterable[str]) -> _MismatchError:
    unknown = sorted(set(found) - set(wanted))
    if unknown:
        return _MismatchError(f"unknown key {unknown[0]!r}")
    return _MismatchError(f"missing key {min(set(wanted) - set(found))!r}")


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
