"""Which tiling the tuner keeps."""

from __future__ import annotations

from web.tune import winner


def test_the_fastest_wins_where_nothing_is_alike() -> None:
    assert winner([3.0, 1.0, 2.0], [1, 9, 1]) == 1


def test_of_those_about_as_fast_the_shortest_wins() -> None:
    assert winner([3.0, 1.0, 1.04, 1.06], [1, 9, 5, 2]) == 2


def test_of_equal_texts_the_faster_wins() -> None:
    assert winner([1.04, 1.0], [5, 5]) == 1
