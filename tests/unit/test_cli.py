from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from compiler import cli
from compiler.bundle.inspect import facts
from compiler.bundle.read import Bundle
from compiler.errors import CheckpointError, CompileError
from compiler.progress import Progress
from compiler.summary import Summary, peak_bytes
from tests.unit.bundle.sample import write_bundle
from tests.unit.checkpoint.tiny import llama, write_tokenizer

Capture = pytest.CaptureFixture[str]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """What the shell would see of `compile-model ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["compile-model", *arguments])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return int(exit_.value.code or 0)


class FakeBuild:
    """Stands in for compiler.build, which needs torch and tvm."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, target: Path) -> None:
        self.calls: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self._target = target
        module = ModuleType("compiler.build")
        module.build = self.build  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "compiler.build", module)

    def build(self, source: str, *, progress: Progress, **options: Any) -> Summary:
        self.calls.append({"source": source, **options})
        if self.error:
            raise self.error
        with progress.stage("trace", total=2) as stage:
            stage.advance(2, "layer 1")
        write_bundle(self._target)
        return Summary(self._target, seconds=1.5, peak_bytes=peak_bytes())


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeBuild:
    return FakeBuild(monkeypatch, tmp_path / "tiny")


def test_arguments_reach_the_build(monkeypatch: pytest.MonkeyPatch, fake: FakeBuild) -> None:
    options = ["-o", "out", "--quantization", "q8", "--context", "512", "--lora", "adapter"]
    options += ["--tokenizer", "words"]
    code = run(monkeypatch, "a/b", *options)
    assert code == 0
    assert fake.calls == [
        {
            "source": "a/b",
            "output": Path("out"),
            "quantization": "q8",
            "context": 512,
            "revision": None,
            "lora": Path("adapter"),
            "tokenizer": Path("words"),
        }
    ]


def test_weights_for_mlc(monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    llama().save_pretrained(source)
    write_tokenizer(source)
    arguments = (str(source), "--format", "mlc", "-o", str(out))
    assert run(monkeypatch, *arguments, "--quantization", "f16") == 0
    assert "out: q0f16, " in capsys.readouterr().out.replace("\n", "")
    assert (out / "tensor-cache.json").is_file()
    assert run(monkeypatch, *arguments, "--quantization", "q8") == 2
    assert "--quantization q8: --format mlc has q4, f16, f32 alone" in capsys.readouterr().err


def test_the_summary_shows_the_figures_of_the_bundle(
    monkeypatch: pytest.MonkeyPatch, fake: FakeBuild, capsys: Capture
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run(monkeypatch, "tiny.gguf") == 0
    out, err = capsys.readouterr()
    assert "32.00" in out
    assert "4 (2 per layer)" in out
    assert "1.5 s" in out
    assert "at a context of 16 tokens" in out
    assert "trace ..." in err  # standard error is no terminal here


@pytest.mark.parametrize("error", [CompileError("no"), CheckpointError("tiny.gguf: truncated")])
def test_an_error_is_one_line_with_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, fake: FakeBuild, capsys: Capture, error: CompileError
) -> None:
    fake.error = error
    assert run(monkeypatch, "tiny.gguf") == error.exit_code
    assert capsys.readouterr().err == f"compile-model: {error}\n"


def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, fake: FakeBuild, capsys: Capture
) -> None:
    fake.error = ModuleNotFoundError("No module named 'tvm.relax'", name="tvm.relax")
    assert run(monkeypatch, "tiny.gguf") == 1
    expected = "compile-model: tvm is not installed: pip install 'webkiln[compile]'\n"
    assert capsys.readouterr().err == expected


def test_a_fault_of_ours_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, fake: FakeBuild
) -> None:
    fake.error = ModuleNotFoundError("No module named 'compiler.typo'", name="compiler.typo")
    monkeypatch.setattr(sys, "argv", ["compile-model", "tiny.gguf"])
    with pytest.raises(ModuleNotFoundError):
        cli.main()


@pytest.mark.parametrize("arguments", [[], ["x", "--quantization", "q3"], ["x", "--context", "0"]])
def test_wrong_arguments_exit_with_2(
    monkeypatch: pytest.MonkeyPatch, fake: FakeBuild, arguments: list[str]
) -> None:
    assert run(monkeypatch, *arguments) == 2
    assert fake.calls == []


def test_a_source_may_be_called_inspect(monkeypatch: pytest.MonkeyPatch, fake: FakeBuild) -> None:
    assert run(monkeypatch, "./inspect") == 0
    assert fake.calls[0]["source"] == "./inspect"


def test_inspect_prints_json(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    write_bundle(tmp_path / "tiny")
    assert run(monkeypatch, "inspect", str(tmp_path / "tiny"), "--json") == 0
    assert json.loads(capsys.readouterr().out) == facts(Bundle.open(tmp_path / "tiny"))


def test_inspect_prints_a_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    write_bundle(tmp_path / "tiny")
    assert run(monkeypatch, "inspect", str(tmp_path / "tiny")) == 0
    assert "dispatches decode" in capsys.readouterr().out


def test_inspect_refuses_what_is_no_bundle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    assert run(monkeypatch, "inspect", str(tmp_path)) == 5
    assert "is no bundle" in capsys.readouterr().err


def test_a_table_that_cannot_be_used_is_told_before_any_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    damaged = tmp_path / "table.json"
    damaged.write_text("{")
    for table, reason in [(damaged, "is not a table"), (tmp_path / "no" / "t", "cannot be wri")]:
        assert run(monkeypatch, "tune", "no-such-model", "--table", str(table)) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("compile-model: ")
        assert reason in line
