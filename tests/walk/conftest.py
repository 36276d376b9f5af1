"""What fails in a step is told as what fails in a test; the browser of tests/browser."""

from __future__ import annotations

from pathlib import Path

import pytest

AREAS = {file.stem for file in Path(__file__).parent.glob("[!_]*.py")} - {"conftest"}
pytest.register_assert_rewrite(*(f"{__package__}.{area}" for area in AREAS))

from tests.browser.conftest import chromium as chromium  # noqa: E402
