"""Bundles compiled once for all tests that run them, in however many processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

# PyTorch is imported where it is needed: most tests start sooner without it.


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder for this run of the tests, the same in all of its processes."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if hasattr(request.config, "workerinput") else own


@pytest.fixture(scope="session")
def tiny_bundle(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `tiny` of a models folder: a random Llama of two layers."""
    from tests.support.bundles import TINY, compile_tiny

    models = shared / "tiny-models"
    with FileLock(shared / "tiny.lock"):
        if not (models / TINY).exists():
            compile_tiny(models, tmp_path_factory.mktemp("checkpoints"))
    return models / TINY


@pytest.fixture(scope="session")
def smollm2_bundle(shared: Path) -> Path:
    """The folder `smollm2` of a models folder: SmolLM2-135M-Instruct with the GGUF's codes."""
    from tests.support.bundles import SMOLLM2, compile_smollm2

    models = shared / "smollm2-models"
    with FileLock(shared / "smollm2.lock"):
        if not (models / SMOLLM2).exists():
            compile_smollm2(models)
    return models / SMOLLM2
