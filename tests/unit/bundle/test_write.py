from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from compiler.bundle import write
from compiler.bundle.read import Bundle
from compiler.bundle.schema import Manifest
from compiler.bundle.write import BundleWriter
from compiler.errors import BundleError
from tests.unit.bundle.sample import write_bundle


def _siblings(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_every_file_is_listed_and_named_by_its_hash(tmp_path: Path) -> None:
    target = tmp_path / "models" / "tiny"
    manifest = write_bundle(target)
    found = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert found == {*manifest.files, "manifest.json"}
    assert all(entry.sha256[:16] in name for name, entry in manifest.files.items())
    assert manifest.variants["f32"].plan.startswith("plans/f32-")
    assert manifest.variants["f32"].kernels.endswith(".wgsl")
    assert _siblings(target) == ["tiny"]


def test_the_folder_can_be_read_by_a_server_of_another_user(tmp_path: Path) -> None:
    write_bundle(tmp_path / "tiny")
    assert (tmp_path / "tiny").stat().st_mode & 0o555 == 0o555


def test_an_older_bundle_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "tiny"
    write_bundle(target, tensor=bytes([1]) * 8)
    second = write_bundle(target, tensor=bytes([2]) * 8)
    assert len(list((target / "weights").iterdir())) == 1
    assert Bundle.open(target).manifest == second
    assert _siblings(target) == ["tiny"]


def test_a_failure_leaves_the_older_bundle_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "tiny"
    first = write_bundle(target)
    with pytest.raises(ZeroDivisionError), BundleWriter(target) as bundle:
        bundle.add_file("kernels", "f32", f"{1 // 0}", b"")
    assert Bundle.open(target).manifest == first
    assert _siblings(target) == ["tiny"]


def test_a_rename_that_fails_puts_the_older_bundle_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "tiny"
    first = write_bundle(target)
    rename = Path.rename

    def refuse_new(self: Path, to: Path) -> Path:
        if to == target and self.suffix == ".partial":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", refuse_new)
    with pytest.raises(BundleError, match="Input/output error"):
        write_bundle(target, tensor=bytes(8))
    assert Bundle.open(target).manifest == first
    assert _siblings(target) == ["tiny"]


def test_a_folder_that_is_no_bundle_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="is no bundle"):
        write_bundle(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_a_parent_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match=r"cannot write the bundle .*file/tiny.* with -o"):
        write_bundle(tmp_path / "file" / "tiny")


def test_a_full_disk_names_the_folder_and_the_space_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with (
        pytest.raises(BundleError, match=r"disk is full: .*tiny needs about 90\.0 MB"),
        BundleWriter(tmp_path / "tiny", expected_bytes=90_000_000) as bundle,
    ):
        bundle.add_file("plans", "f32", ".json", b"{}")
    assert _siblings(tmp_path / "tiny") == []


def test_a_name_that_no_reader_takes_is_not_written(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match=r"'kernels/f\.32-\w+\.wgsl'"),
        BundleWriter(tmp_path / "tiny") as bundle,
    ):
        bundle.add_file("kernels", "f.32", ".wgsl", b"")


def test_too_little_space_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="disk is full"), BundleWriter(tmp_path / "a", 10**18):
        pass
    assert _siblings(tmp_path / "a") == []


def test_what_a_killed_build_left_is_removed_a_day_later(tmp_path: Path) -> None:
    old, young = tmp_path / ".tiny.a.partial", tmp_path / ".tiny.b.partial"
    old.mkdir()
    young.mkdir()
    day = time.time() - write.STALE_SECONDS - 60
    os.utime(old, (day, day))
    write_bundle(tmp_path / "tiny")
    assert _siblings(tmp_path / "tiny") == [".tiny.b.partial", "tiny"]


def test_a_large_tokenizer_is_stored_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "SHARD_BYTES", 4)
    manifest: Manifest = write_bundle(tmp_path / "tiny")
    parts = manifest.tokenizer.model
    assert b"".join((tmp_path / "tiny" / part).read_bytes() for part in parts) == b'{"model":1}'
    assert [manifest.files[part].bytes for part in parts] == [4, 4, 3]
