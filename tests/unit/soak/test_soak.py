"""`make soak` goes on where it was, and says what came of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak import results
from tests.soak.results import Result

ROOT = Path(__file__).parents[3]
TESTS = """
import pytest
from pathlib import Path

pytestmark = pytest.mark.soak

def test_holds():
    Path("runs").open("a").write("holds ")

def test_breaks_once():
    Path("runs").open("a").write("breaks ")
    if not Path("mended").exists():
        raise AssertionError

@pytest.mark.skip(reason="no such device")
def test_cannot():
    pass
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of its own with three long tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "docs").mkdir()
    (tmp_path / "test_long.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = soak: long\n")
    for arguments in ("init -q", "add .", "-c user.name=a -c user.email=a@b.c commit -qm one"):
        subprocess.run(["git", *arguments.split()], check=True)
    return tmp_path


def soak(*arguments: str) -> tuple[int, list[str]]:
    """Its exit status, and which tests ran."""
    runs = Path("runs")
    runs.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-p", "tests.soak.record", "-m", "soak", "-q"]
    status = subprocess.run([*command, *arguments], capture_output=True).returncode
    return status, runs.read_text().split() if runs.exists() else []


@pytest.mark.slow
def test_what_passed_is_not_run_again(checkout: Path) -> None:
    assert soak() == (1, ["holds", "breaks"])
    (checkout / "mended").touch()
    assert soak() == (0, ["breaks"])
    assert soak() == (0, [])
    assert soak("--again") == (0, ["holds", "breaks"])
    outcomes = {name: result.outcome for name, result in results.read().items()}
    assert soak("--deselect", "test_long.py::test_cannot") == (0, [])  # nothing is left to run
    assert outcomes == {
        "test_long.py::test_holds": "passed",
        "test_long.py::test_breaks_once": "passed",
        "test_long.py::test_cannot": "skipped",
    }


def test_the_table_counts_by_file(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    long = {
        "a.py::one": Result("passed", 60.0, "2026-01-02", "abc1234"),
        "a.py::two": Result("failed", 30.0, "2026-01-03", "abc1234+"),
        "b.py::one": Result("skipped", 0.0, "2026-01-01", "abc1234"),
    }
    results.write(long, tmp_path)
    assert results.read(tmp_path / results.JSON) == long
    table = (tmp_path / results.MARKDOWN).read_text()
    assert "| `a.py` | 1 | 1 | 0 | 1.5 | 2026-01-03 | abc1234, abc1234+ |" in table
    assert "| `b.py` | 0 | 0 | 1 | 0.0 | 2026-01-01 | abc1234 |" in table
    assert table.endswith("Failed:\n\n- `a.py::two`\n")
