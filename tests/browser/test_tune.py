"""The tuner in a browser: it measures what it is given and keeps what pays."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from compiler.kernels.gpu import tilings
from compiler.kernels.specs import Attend, CacheShape, Linear
from compiler.progress import SilentProgress
from compiler.quantize import schemes
from web import tune
from web.browser import browser
from web.errors import SiteError

SPEC = Linear(1, 64, 64, schemes.Q4_MIN)
WINNER = (1, 16, 1, 4)
ATTEND = Attend(1, 4, CacheShape(9000, 2, 16), 0.25, 0, 0.0)


def test_shapes_are_measured_and_winners_kept_with_what_was_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = {SPEC: [tilings.default(SPEC), WINNER], ATTEND: [(4,), (1,)]}
    monkeypatch.setattr(tilings, "candidates", lambda spec: iter(tried[spec]))
    monkeypatch.setattr(tune, "WORTH", 1.0)  # whichever is faster, however little
    file = tmp_path / "table.json"
    known = {"acme": {"other": (1, 2, 3, 4)}, "google": {"older": WINNER}}
    tilings.write(known, file)
    shown = tune.tune(list(tried), software=True, file=file, progress=SilentProgress())
    after = tilings.measured(file)
    assert after["acme"] == known["acme"]
    assert after["google"]["older"] == WINNER
    for spec, choices in tried.items():
        assert after["google"][tilings.name(spec)] in choices
    output = StringIO()
    Console(width=120, file=output).print(shown)
    text = output.getvalue()
    assert "google swiftshader" in text
    default_ms, best_ms = (float(word) for word in text.split(SPEC.name)[1].split()[:2])
    assert 0 < best_ms <= default_ms


def test_without_a_gpu_software_has_to_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "opened", lambda *, software: browser())
    with pytest.raises(SiteError, match="found no GPU here; --software"):
        tune.tune([SPEC], software=False, file=tmp_path / "t.json", progress=SilentProgress())
    assert not (tmp_path / "t.json").exists()
