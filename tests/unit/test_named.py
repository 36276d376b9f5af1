"""Architectures are named where they must be, and nowhere else."""

from __future__ import annotations

from pathlib import Path

from tests.coverage import named


def test_only_adapters_and_file_formats_name_architectures() -> None:
    allowed = {named.ADAPTERS, *named.GGUF, *named.MLC}
    found = {
        f"{path}:{line}"
        for path in named.ROOT.rglob("*.py")
        if path not in allowed
        for line in named.naming(path)
    }
    assert found == set()


def test_names_are_found(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text('"""gpt2"""\na = "gpt2"  # llama\nb = ["LlamaAttention"]\nc = "attention"\n')
    assert named.naming(path) == [2, 3]
