"""As much of a WebAssembly module as tests look at (WebAssembly core specification, chapter 5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

IMPORTS, EXPORTS, CODE = 2, 7, 10  # section ids
KINDS = ("function", "table", "memory", "global")
MEMORY = 2
HAS_MAXIMUM, SHARED = 1, 2  # flags of a memory's limits


@dataclass(frozen=True)
class Memory:
    """Limits of an imported memory, in pages of 64 KiB."""

    minimum: int
    maximum: int | None
    shared: bool


class WasmBinary:
    """Imports, exports and code of a module that imports nothing but a memory."""

    def __init__(self, code: bytes) -> None:
        assert code[:8] == b"\0asm\1\0\0\0"
        self._code = code
        self.imports: dict[str, Memory] = {}  # by "module.name"
        self.exports: dict[str, str] = {}  # name to kind
        self.code = b""
        for section, reader in self._sections():
            if section == IMPORTS:
                self._read_imports(reader)
            elif section == EXPORTS:
                self._read_exports(reader)
            elif section == CODE:
                self.code = code[reader.at : reader.end]

    def _sections(self) -> Iterator[tuple[int, _Reader]]:
        at = 8
        while at < len(self._code):
            reader = _Reader(self._code, at)
            section = reader.byte()
            size = reader.number()
            at = reader.end = reader.at + size
            yield section, reader

    def _read_imports(self, reader: _Reader) -> None:
        for _ in range(reader.number()):
            name = f"{reader.name()}.{reader.name()}"
            assert reader.byte() == MEMORY, f"{name} is no memory"
            flags, minimum = reader.byte(), reader.number()
            maximum = reader.number() if flags & HAS_MAXIMUM else None
            self.imports[name] = Memory(minimum, maximum, bool(flags & SHARED))

    def _read_exports(self, reader: _Reader) -> None:
        for _ in range(reader.number()):
            name, kind = reader.name(), KINDS[reader.byte()]
            reader.number()
            self.exports[name] = kind


class _Reader:
    def __init__(self, code: bytes, at: int) -> None:
        self._code, self.at, self.end = code, at, len(code)

    def byte(self) -> int:
        self.at += 1
        return self._code[self.at - 1]

    def number(self) -> int:
        """LEB128, unsigned."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def name(self) -> str:
        size = self.number()
        self.at += size
        return self._code[self.at - size : self.at].decode()
