"""WGSL as TVM writes it, in fewer bytes and with less to compute twice.

The text is part of what a visitor waits for. TVM names common subexpressions and then spells them
out again at every use; here the names are used, and those that nobody uses go. Besides, names
become short, the same ones in the same order in every kernel, and types that follow from a value,
spaces and digits that say nothing are left out. One statement stays on one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count, islice, product
from string import ascii_lowercase

_BINDING = re.compile(r"let (\w+) : [\w<>]+ = (.*);")
_READ_ONLY = re.compile(r"var<storage, read> (\w+) :")
_VARIABLE = re.compile(r"^(?:@group.* )?var(?:<[^>]*>)? (\w+) :", re.MULTILINE)
_ONE = re.compile(r"^var (\w+) : array<(.+), 1>;$", re.MULTILINE)
_ANNOTATED = re.compile(r"\b(let|var) (\w+) : [\w<>]+ =")
_NAME = re.compile(r"\b(?:v_\w*|cse_v\w*|\w+_ptr|v|condval\w*)\b")
_INDEX = re.compile(r"i32\((threadIdx|blockIdx)\.([xyz])\)")
_BRACE = re.compile(r"[{}]")
_NAME_OR_BRACE = re.compile(rf"{_NAME.pattern}|{_BRACE.pattern}")
_FLOAT = re.compile(r"\b(\d+\.\d+e[+-]\d+)([fh])\b")
_INTEGER = re.compile(r"\b(\d+)i\b")  # what an integer is without a suffix
_SPACES = re.compile(r" *([=+*/%<>&|^!,;:(){}\[\]?]) *")
_MINUS = re.compile(r" *(- +-|-) *")  # two of them must not become one token
# Parentheses that precedence makes up for: a product in a sum, and a sum that more is added to.
_PRODUCT = re.compile(r"(?<=[+(,\[=])\((\w+\*\w+)\)(?=[+),\];])")
_SUM = re.compile(r"(?<=[(,\[=])\((\w+(?:[*+]\w+)+)\)(?=\+)")
_WORKGROUP = "i32(blockIdx.z * gridDim.x + blockIdx.x)"
# Names that WGSL gives a meaning.
_TAKEN = {"as", "do", "fn", "if", "of", "or"}


def minify(text: str) -> str:
    """A kernel's module, doing the same."""
    # No launch has more than 65,535 workgroups along x: TVM would fold the rest into z.
    text = text.replace(_WORKGROUP, "i32(blockIdx.x)")
    text = text.replace("@builtin(num_workgroups) gridDim : vec3<u32>,\n", "")
    lines = _with_indices(_with_scalars(text).splitlines())
    lines = _with_names(lines, set(_READ_ONLY.findall(text)))
    lines = [_ANNOTATED.sub(r"\1 \2 =", line) for line in lines]
    return _renamed("".join(f"{_tight(line)}\n" for line in lines))


def _with_scalars(text: str) -> str:
    """Registers as variables instead of arrays of one."""
    for name in _ONE.findall(text):
        text = re.sub(rf"\b{name[0]}\[0i\]", name[0], text)
    return _ONE.sub(r"var \1 : \2;", text)


def _with_indices(lines: list[str]) -> list[str]:
    """Workgroup and invocation indices as i32, converted once."""
    start = next(i for i, line in enumerate(lines) if line.startswith(") {")) + 1
    found = dict.fromkeys(m.group(0, 1, 2) for line in lines for m in _INDEX.finditer(line))
    head = []
    for text, kind, axis in found:
        name = f"v_{kind}_{axis}"
        lines = [line.replace(text, name) for line in lines]
        head.append(f"let {name} : i32 = {text};")
    return [*lines[:start], *head, *lines[start:]]


def _with_names(lines: list[str], read_only: set[str]) -> list[str]:
    """Every expression that has a name is called by it, to the end of the block."""
    changing = set(_VARIABLE.findall("\n".join(lines))) - read_only
    for index, line in enumerate(lines):
        bound = _BINDING.fullmatch(line)
        if bound is None or not changing.isdisjoint(re.findall(r"\w+", bound.group(2))):
            continue
        name, value = bound.groups()
        if value.endswith((")", "]")):
            old, spelled, called = value, re.compile(rf"(?<![\w.]){re.escape(value)}"), name
        elif _NAME.fullmatch(value):
            old, spelled, called = name, re.compile(rf"\b{name}\b"), value  # it has a name already
        else:
            continue
        for later in range(index + 1, _block_end(lines, index)):
            if old in lines[later]:
                lines[later] = spelled.sub(called, lines[later])
    return _used(lines)


def _block_end(lines: list[str], index: int) -> int:
    depth = 0
    for later in range(index + 1, len(lines)):
        for brace in _BRACE.findall(lines[later]):
            depth += 1 if brace == "{" else -1
            if depth < 0:
                return later
    return len(lines)


def _used(lines: list[str]) -> list[str]:
    """Without the names of values that nobody uses; last ones first, as they use earlier ones."""
    uses: dict[str, int] = {}
    for line in lines:
        for name in _NAME.findall(line):
            uses[name] = uses.get(name, 0) + 1
    kept = []
    for line in reversed(lines):
        bound = _BINDING.fullmatch(line)
        if bound is not None and uses.get(bound.group(1)) == 1:
            for name in _NAME.findall(line):
                uses[name] -= 1
            continue
        kept.append(line)
    return kept[::-1]


def _tight(line: str) -> str:
    line = _FLOAT.sub(lambda m: _shortest(m.group(1)) + m.group(2), line)
    line = _INTEGER.sub(r"\1", line)
    line = _MINUS.sub(lambda m: "- -" if len(m.group(1)) > 1 else "-", _SPACES.sub(r"\1", line))
    line = _without_outer(line)
    while (shorter := _SUM.sub(r"\1", _PRODUCT.sub(r"\1", line))) != line:
        line = shorter
    return line


def _shortest(digits: str) -> str:
    """The same number in the fewest characters."""
    plain = f"{float(digits):.9g}"
    mantissa, _, exponent = plain.partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def _without_outer(line: str) -> str:
    """Without parentheses around a whole index or a whole value."""
    for opening, closing in (("[(", ")]"), ("=(", ");")):
        start = line.find(opening)
        while start >= 0:
            if line[start - 1] in "=!<>":  # a comparison, which binds less than what is inside
                start = line.find(opening, start + 1)
                continue
            end = _matching(line, start + 1)
            if line[end : end + 2] == closing:
                line = line[: start + 1] + line[start + 2 : end] + line[end + 1 :]
            else:
                start += 1
            start = line.find(opening, start)
    return line


def _matching(line: str, start: int) -> int:
    """Where the parenthesis that opens at `start` closes."""
    depth = 0
    for index in range(start, len(line)):
        depth += {"(": 1, ")": -1}.get(line[index], 0)
        if depth == 0:
            return index
    return len(line)


def _renamed(text: str) -> str:
    """What a block has declared is gone at its end: the next one takes the same names again."""
    names = list(islice(_short_names(), 1 + len(set(_NAME.findall(text)))))
    made: dict[str, str] = {}  # in the order of `names`
    outside: list[int] = []  # how many there were where each open block begins

    def short(match: re.Match[str]) -> str:
        token = match.group()
        if token == "{":
            outside.append(len(made))
        elif token == "}":
            for name in list(made)[outside.pop() :]:
                del made[name]
        else:
            return made.setdefault(token, names[len(made)])
        return token

    return _NAME_OR_BRACE.sub(short, text)


def _short_names() -> Iterator[str]:
    for length in count(1):
        for letters in product(ascii_lowercase, repeat=length):
            name = "".join(letters)
            if name not in _TAKEN:
                yield name
