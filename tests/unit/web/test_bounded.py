from __future__ import annotations

import resource

import pytest

from web import bounded
from web.bounded import file_limit


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        ((64, 64), 64),
        ((256, 1024), 1024),
        ((1024, 1 << 20), 3 * bounded.MOST + bounded.OWN_FILES),
        ((1 << 20, 1 << 20), 3 * bounded.MOST + bounded.OWN_FILES),
        ((1024, resource.RLIM_INFINITY), 3 * bounded.MOST + bounded.OWN_FILES),
    ],
)
def test_as_many_files_as_are_of_use(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], found: int
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda which, wanted: asked.append(wanted))
    assert file_limit() == found
    assert asked in ([], [(found, limits[1])])
    assert limits[0] >= found or asked


def test_a_system_that_refuses_keeps_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(which: int, wanted: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert file_limit() == 256
