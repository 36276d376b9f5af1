"""Kernels run in a real browser; one page serves all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.gpu import Gpu
from web.browser import browser


@pytest.fixture(scope="package")
def gpu() -> Iterator[Gpu]:
    with browser() as instance:
        yield Gpu(instance)
