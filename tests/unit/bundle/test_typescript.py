from __future__ import annotations

from pathlib import Path

import pytest

from compiler.bundle import typescript


def _generate(tmp_path: Path, source: str) -> str:
    schema = tmp_path / "schema.py"
    schema.write_text(source)
    return typescript.generate(schema)


def test_the_committed_file_is_up_to_date() -> None:
    assert typescript.TARGET.read_text(encoding="utf-8") == typescript.generate(), (
        "run python -m compiler.bundle.typescript"
    )


def test_a_dataclass_becomes_an_interface(tmp_path: Path) -> None:
    text = _generate(
        tmp_path,
        '''
@dataclass(frozen=True)
class Step:
    """One dispatch."""

    grid: list[int]  # [x, y]
    kind: Literal["a", "b"]
    access: list[Literal["a", "b"]]
    layer: int | None
    outputs: dict[str, float]
    inner: Step
''',
    )
    assert text == (
        typescript.HEADER
        + """
/** One dispatch. */
export interface Step {
  /** [x, y] */
  grid: number[];
  kind: "a" | "b";
  access: ("a" | "b")[];
  layer: number | null;
  outputs: Record<string, number>;
  inner: Step;
}
"""
    )


def test_an_enumeration_becomes_a_constant_object(tmp_path: Path) -> None:
    text = _generate(tmp_path, "class Slot(IntEnum):\n    A = 0  # first\n    B = 1\n")
    assert text.endswith("\nexport const Slot = {\n  /** first */\n  A: 0,\n  B: 1,\n} as const;\n")


def test_constants_keep_the_comment_above_or_behind(tmp_path: Path) -> None:
    text = _generate(tmp_path, "# why\n# so\nBIT = 1 << 30\n\nALIGN = 256  # bytes\n")
    assert "/**\n * why\n * so\n */\nexport const BIT = 1 << 30;\n" in text
    assert "/** bytes */\nexport const ALIGN = 256;\n" in text


def test_a_text_keeps_its_backslashes_and_long_ones_get_a_line(tmp_path: Path) -> None:
    text = _generate(tmp_path, f'NAME = r"[\\w-]"\nLONG = "{"a" * 90}"\n')
    assert 'export const NAME = "[\\\\w-]";\n' in text
    assert f'export const LONG =\n  "{"a" * 90}";\n' in text


def test_a_type_without_counterpart_is_named(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"set\[int\]"):
        _generate(tmp_path, "class A:\n    b: set[int]\n")


def test_check_reports_drift(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "plan.ts"
    monkeypatch.setattr(typescript, "TARGET", target)
    assert typescript.main(["--check"]) == 1
    assert "python -m compiler.bundle.typescript" in capsys.readouterr().err
    assert typescript.main([]) == 0
    assert typescript.main(["--check"]) == 0
