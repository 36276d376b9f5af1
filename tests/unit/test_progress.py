from __future__ import annotations

import io

import pytest
from rich.console import Console

from compiler.progress import BarProgress, LineProgress, SilentProgress, shown_on


def test_bars_show_stage_count_and_note() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100)
    with BarProgress(console) as bars, bars.stage("quantize", total=4) as stage:
        stage.advance(3, "model.embed_tokens")
        bars._bars.refresh()
    text = stream.getvalue()
    assert "quantize" in text
    assert "3/4" in text
    assert "model.embed_tokens" in text
    assert "4/4" in text


def test_a_stage_without_total_is_complete_at_its_end() -> None:
    stream = io.StringIO()
    with (
        BarProgress(Console(file=stream, force_terminal=True, width=100)) as bars,
        bars.stage("trace"),
    ):
        pass
    assert "1/1" in stream.getvalue()


def test_logs_get_a_line_at_both_ends() -> None:
    stream = io.StringIO()
    with LineProgress(Console(file=stream)).stage("trace [x]") as stage:
        stage.advance(1)
        assert stream.getvalue() == "trace [x] ...\n"
    assert stream.getvalue().splitlines()[1] == "trace [x]: 0.0 s"


def test_the_kind_follows_the_console() -> None:
    with shown_on(Console(file=io.StringIO(), force_terminal=True)) as shown:
        assert isinstance(shown, BarProgress)
    with shown_on(Console(file=io.StringIO())) as shown:
        assert isinstance(shown, LineProgress)


def test_silence_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with SilentProgress().stage("trace", total=1) as stage:
        stage.advance()
    assert capsys.readouterr() == ("", "")
