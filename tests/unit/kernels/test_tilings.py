"""Tilings: what the tuner tries, and the table it leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from compiler.errors import UsageError
from compiler.kernels.gpu import attend, linear, tilings
from compiler.kernels.gpu.product import Tiling
from compiler.kernels.gpu.tilings import Product
from compiler.kernels.specs import Append, Attend, CacheShape, Linear, ProjectAppend, Prologue
from compiler.quantize import schemes

RMS = Prologue("rms", 1e-5)
PLAIN = Linear(1, 96, 64, schemes.Q4_MIN, residual=True)
GATED = Linear(1, 96, 64, schemes.Q4_MIN, gated=True, activation="silu", prologue=RMS)
HEADS = Append(1, 4, CacheShape(16, 2, 16), True, 16, False, 0.0)
ATTEND = Attend(1, 4, CacheShape(1024, 2, 16), 0.25, 0, 0.0)
PROJECT = ProjectAppend(Linear(1, 128, 64, schemes.Q4_MIN, prologue=RMS), HEADS)


def prompt(spec: Product) -> Product:
    if isinstance(spec, Linear):
        return replace(spec, rows=32)
    return ProjectAppend(replace(spec.linear, rows=32), replace(spec.append, rows=32))


SPECS: dict[str, Product] = {
    "plain": PLAIN,
    "gated": GATED,
    "project": PROJECT,
    "normed": ProjectAppend(PROJECT.linear, replace(HEADS, normed=True, epsilon=1e-6)),
}
SPECS |= {f"{name}, a prompt": prompt(spec) for name, spec in SPECS.items()}


@pytest.mark.parametrize("name", SPECS)
def test_every_candidate_can_be_built_and_the_default_comes_first(name: str) -> None:
    spec = SPECS[name]
    found = list(tilings.candidates(spec))
    assert found[0] == tilings.default(spec)
    assert len(found) == len(set(found)) > 5
    for choice in (found[0], found[len(found) // 2], found[-1]):
        kernel = tilings.build(spec, choice)
        assert kernel.grid[0] * kernel.grid[1] >= 1


def test_a_winner_is_chosen_for_its_vendor_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    winner = (1, 16, 2, 2)
    assert winner != tilings.default(PLAIN)
    file = tmp_path / "table.json"
    tilings.write({"acme": {PLAIN.name: winner, "attend_1x4x16_of_2": (3,)}}, file)
    table = tilings.measured(file)
    monkeypatch.setattr(tilings, "measured", lambda: table)
    assert tilings.choose(PLAIN, "acme") == Tiling(*winner)
    assert tilings.splits(ATTEND, "acme") == 3
    assert tilings.choose(GATED, "acme") == linear.default_tiling(GATED)
    for vendor in ("other", None):
        assert tilings.choose(PLAIN, vendor) == linear.default_tiling(PLAIN)
        assert tilings.splits(ATTEND, vendor) == attend.default_splits(ATTEND) != 3


def test_the_table_reads_as_it_was_written(tmp_path: Path) -> None:
    table: dict[str, dict[str, tuple[int, ...]]]
    table = {"b": {"y": (1, 2, 3, 4), "x": (5,)}, "a": {}}
    file = tmp_path / "table.json"
    tilings.write(table, file)
    assert tilings.measured(file) == {"b": table["b"]}
    lines = [line.strip() for line in file.read_text().splitlines()]
    assert lines == ["{", '"b": {', '"x": [5],', '"y": [1, 2, 3, 4]', "}", "}"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"nvidia": 3}', '{"nvidia": {"a": 3}}', '{"a": {"b": [1, 2]}}',
     '{"a": {"b": [0]}}', '{"a": {"b": ["x"]}}', '{"a": {"b": [1, 512, 1, 1]}}'],
)  # fmt: skip
def test_a_file_that_is_no_table_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "table.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"table\.json is not a table of tilings .*repair or"):
        tilings.measured(file)


def test_a_table_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--table .*missing.* cannot be written"):
        tilings.write({}, tmp_path / "missing" / "table.json")
    with pytest.raises(UsageError, match="cannot be written"):
        tilings.write({}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_measured_for_a_nameless_vendor_is_nobodys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = {"": {tilings.name(PLAIN): (1, 16, 1, 8)}}
    monkeypatch.setattr(tilings, "measured", lambda: table)
    assert tilings.choose(PLAIN, None) == linear.default_tiling(PLAIN)


def test_windows_are_shapes_of_their_own() -> None:
    assert tilings.name(replace(ATTEND, window=512)) == tilings.name(ATTEND) + "_in_512"
