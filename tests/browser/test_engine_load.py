"""Loading: hashes, the cache, retries and formats, against a server with faults to order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from compiler.bundle.schema import FORMAT
from tests.browser.engine_page import EnginePage, engine_page
from tests.browser.miniature import MODEL, SHARDS, Miniature, continuation, encode

SHARD = f"{MODEL}/{SHARDS[0]}"
MANIFEST = f"{MODEL}/manifest.json"
IDS = encode("hello")


@pytest.fixture
def page(chromium: Browser) -> Iterator[EnginePage]:
    with engine_page(chromium) as page:
        yield page


def assert_answers(page: EnginePage) -> None:
    assert page.value("return engine.generate(arg, 8)", IDS) == continuation(IDS, 8)


def test_progress_ends_with_everything_loaded(page: EnginePage) -> None:
    info = page.loaded(context=100)
    assert {key: info[key] for key in ("model", "variant", "backend", "context", "notes")} == {
        "model": "mini",
        "variant": "f32",
        "backend": "webgpu",
        "context": 100,
        "notes": [],
    }
    last = page.page.evaluate("progress.at(-1)")
    sizes = {k: len(v) for k, v in Miniature().files().items() if k != MANIFEST}
    assert last["phase"] == "ready"
    assert last["loaded"] == last["total"] == sum(sizes.values())
    assert last["pipelines"] == last["pipelinesTotal"] == 3


def test_a_second_visit_downloads_only_the_manifest(page: EnginePage) -> None:
    page.loaded()
    page.site.hits.clear()
    page.loaded()
    fetched = [path for path in page.site.hits if path.startswith(MODEL)]
    assert fetched == [MANIFEST]
    last = page.page.evaluate("progress.at(-1)")
    assert last["cached"] == last["total"]
    assert_answers(page)


def test_a_byte_flipped_on_the_way_is_fetched_again(page: EnginePage) -> None:
    page.site.flips[SHARD] = 1
    page.loaded()
    assert page.site.hits[SHARD] == 2
    assert_answers(page)


def test_a_byte_flipped_on_the_server_is_refused(page: EnginePage) -> None:
    page.site.flips[SHARD] = 99
    error = page.refused()
    assert error["code"] == "integrity"
    assert SHARDS[0] in error["message"]
    assert page.site.hits[SHARD] == 2


def test_a_byte_flipped_in_the_cache_is_fetched_again(page: EnginePage) -> None:
    page.loaded()
    damaged = page.value(
        """
        const root = await navigator.storage.getDirectory();
        const folder = await (await root.getDirectoryHandle("webkiln")).getDirectoryHandle("files");
        let damaged = 0;
        for await (const file of folder.values()) {
          const bytes = new Uint8Array(await (await file.getFile()).arrayBuffer());
          bytes[bytes.length - 1] ^= 4;
          const writable = await file.createWritable();
          await writable.write(bytes);
          await writable.close();
          damaged += 1;
        }
        return damaged;
        """
    )
    assert damaged == 6
    page.site.hits.clear()
    page.loaded()
    assert page.site.hits[SHARD] == 1
    assert_answers(page)
    page.site.hits.clear()
    page.loaded()
    assert page.site.hits[SHARD] == 0, "the repaired copy was not kept"


def test_a_server_that_falters_is_asked_again(page: EnginePage) -> None:
    page.site.failures[SHARD] = 2
    page.loaded()
    assert page.site.hits[SHARD] == 3
    assert_answers(page)


def test_a_server_that_stays_down_is_a_network_error(page: EnginePage) -> None:
    page.site.failures[SHARD] = 99
    error = page.refused()
    assert error["code"] == "network"
    assert SHARDS[0] in error["message"]
    assert page.site.hits[SHARD] == 5


def test_a_missing_model_is_a_network_error(page: EnginePage) -> None:
    error = page.refused(model="/models/none/")
    assert error["code"] == "network"
    assert "404" in error["message"]


def test_the_manifest_must_be_the_one_the_page_expects(page: EnginePage) -> None:
    digest = hashlib.sha256(page.site.files[MANIFEST]).hexdigest()
    page.site.files[MANIFEST] += b" "
    assert page.refused(integrity=f"sha256-{digest}")["code"] == "integrity"
    page.site.files[MANIFEST] = page.site.files[MANIFEST][:-1]
    page.loaded(integrity=f"sha256-{digest}")


@pytest.mark.parametrize(("version", "word"), [(FORMAT + 1, "newer"), (0, "older")])
def test_another_format_is_refused(chromium: Browser, version: int, word: str) -> None:
    with engine_page(chromium, Miniature(format=version)) as page:
        error = page.refused()
    assert error["code"] == "unsupported-format"
    assert word in error["message"]


def test_a_page_that_is_no_manifest_is_refused(page: EnginePage) -> None:
    page.site.files[MANIFEST] = b"<!doctype html><title>Not here</title>"
    assert page.refused()["code"] == "bad-bundle"


def test_a_full_disk_is_noted_and_stops_nothing(page: EnginePage) -> None:
    page.site.files["/worker.js"] = (
        b"FileSystemSyncAccessHandle.prototype.write = () => {"
        b' throw new DOMException("", "QuotaExceededError"); };' + page.site.files["/worker.js"]
    )
    info = page.loaded()
    assert len(info["notes"]) == 1
    assert "no room" in info["notes"][0]
    assert_answers(page)


def test_loading_can_be_aborted(page: EnginePage) -> None:
    page.open()
    error = page.error(
        """
        const { createEngine } = await import("/engine.js");
        const controller = new AbortController();
        const onProgress = ({ phase }) => phase === "download" && controller.abort();
        return createEngine({ model: arg, onProgress, signal: controller.signal });
        """,
        f"{MODEL}/",
    )
    assert error["code"] == "aborted"
