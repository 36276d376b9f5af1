"""Bundles compiled once for all tests that run them."""

from __future__ import annotations

from pathlib import Path

import pytest

# PyTorch is imported where it is needed: most tests start sooner without it.


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `tiny` of a models folder: a random Llama of two layers."""
    from tests.support.bundles import compile_tiny

    return compile_tiny(tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture(scope="session")
def smollm2_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `smollm2` of a models folder: SmolLM2-135M-Instruct with the GGUF's codes."""
    from tests.support.bundles import compile_smollm2

    return compile_smollm2(tmp_path_factory.mktemp("models"))
