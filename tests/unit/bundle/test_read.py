from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compiler.bundle.read import Bundle
from compiler.errors import BundleError
from tests.unit.bundle.sample import KERNEL_TEXT, plan, write_bundle


@pytest.fixture
def target(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "tiny")
    return tmp_path / "tiny"


def _edit(target: Path, change: Callable[[Any], object]) -> None:
    file = target / "manifest.json"
    document = json.loads(file.read_bytes())
    change(document)
    file.write_text(json.dumps(document))


def test_a_bundle_is_read_back_whole(target: Path) -> None:
    bundle = Bundle.open(target)
    bundle.verify_files()
    assert bundle.plans == {"f32": plan()}
    assert bundle.read_tensor_bytes("embed") == bytes(range(256)) * 4
    assert bundle.read_kernels(bundle.manifest.variants["f32"]) == KERNEL_TEXT


def test_a_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is no bundle"):
        Bundle.open(tmp_path)


def test_a_flipped_byte_is_found(target: Path) -> None:
    bundle = Bundle.open(target)
    shard = target / bundle.manifest.tensors["embed"].shards[0].file
    data = bytearray(shard.read_bytes())
    data[7] ^= 1
    shard.write_bytes(data)
    with pytest.raises(BundleError, match=rf"{shard.name} was altered"):
        bundle.verify_files()


def test_a_missing_file_is_named(target: Path) -> None:
    bundle = Bundle.open(target)
    (target / bundle.manifest.tensors["embed"].shards[0].file).unlink()
    with pytest.raises(BundleError, match="No such file"):
        bundle.verify_files()
    with pytest.raises(BundleError, match="No such file"):
        bundle.read_tensor_bytes("embed")


def test_a_truncated_shard_is_found_when_a_tensor_is_read(target: Path) -> None:
    bundle = Bundle.open(target)
    shard = target / bundle.manifest.tensors["embed"].shards[0].file
    shard.write_bytes(shard.read_bytes()[:-4])
    with pytest.raises(BundleError, match="embed has 1020 bytes, the manifest says 1024"):
        bundle.read_tensor_bytes("embed")


def test_an_unknown_tensor_is_named(target: Path) -> None:
    with pytest.raises(BundleError, match="no tensor 'lm_head'"):
        Bundle.open(target).read_tensor_bytes("lm_head")


def test_a_file_name_cannot_leave_the_bundle(target: Path) -> None:
    entry = {"bytes": 1, "sha256": ""}
    _edit(target, lambda document: document["files"].update({"../secret": entry}))
    with pytest.raises(BundleError, match=r'"\.\./secret" is no name of a bundle\'s file'):
        Bundle.open(target)


def test_a_link_cannot_leave_the_bundle(target: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(target)
    shard = target / bundle.manifest.tensors["embed"].shards[0].file
    shard.rename(tmp_path / "shard")
    shard.symlink_to(tmp_path / "shard")
    with pytest.raises(BundleError, match=rf"{shard.name} is a link out of the bundle"):
        bundle.verify_files()
    with pytest.raises(BundleError, match=rf"{shard.name} is a link out of the bundle"):
        bundle.read_tensor_bytes("embed")


def test_a_linked_bundle_is_a_bundle(target: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(target)
    Bundle.open(tmp_path / "link").verify_files()


def test_a_file_that_is_used_must_be_listed(target: Path) -> None:
    _edit(target, lambda document: document["tokenizer"].update(config="tokenizer/x.json"))
    with pytest.raises(BundleError, match=r"tokenizer/x\.json is used but not listed"):
        Bundle.open(target)
