"""What the browser keeps of models: where, for how long, and how it is given back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.engine_page import EnginePage, engine_page
from tests.browser.foreign import keep_foreign
from tests.browser.miniature import MODEL, SHARDS, Miniature, continuation, encode

MANIFEST = f"{MODEL}/manifest.json"
OTHER = "/models/other"
IDS = encode("hello")
NO_OPFS = (
    "StorageManager.prototype.getDirectory = async () => { throw new DOMException('shut') };\n"
)
NO_CACHES = "CacheStorage.prototype.open = async () => { throw new DOMException('shut') };\n"
# Calls one of the module's functions.
CALL = "return (await import('/engine.js'))[arg[0]](...arg.slice(1));"


@pytest.fixture
def page(chromium: Browser) -> Iterator[EnginePage]:
    with engine_page(chromium) as page:
        page.open()
        yield page


def call(page: EnginePage, name: str, *arguments: Any) -> Any:
    return page.value(CALL, [name, *arguments])


def integrity(content: bytes) -> str:
    return f"sha256-{hashlib.sha256(content).hexdigest()}"


def own_sizes(model: Miniature) -> dict[str, int]:
    """Bytes of the bundle's files without the manifest."""
    return {path: len(body) for path, body in model.files().items() if path != MANIFEST}


def fetched(page: EnginePage) -> list[str]:
    """Files of bundles asked for since the last call."""
    paths = [path for path in page.site.hits if path.startswith("/models/")]
    page.site.hits.clear()
    return paths


def shut(page: EnginePage, script: str) -> None:
    """Runs a script in the page and in the worker before theirs."""
    page.page.add_init_script(script)
    page.site.files["/worker.js"] = script.encode() + page.site.files["/worker.js"]


def assert_answers(page: EnginePage) -> None:
    assert page.value("return engine.generate(arg, 8)", IDS) == continuation(IDS, 8)


def test_a_second_visit_asks_for_nothing(page: EnginePage) -> None:
    expected = integrity(page.site.files[MANIFEST])
    page.loaded(integrity=expected)
    assert len(fetched(page)) == 7
    page.loaded(integrity=expected)
    assert fetched(page) == []
    assert_answers(page)
    assert page.value("return (await caches.keys()).length") == 0


def test_an_old_bundle_runs_beside_a_newer_one(page: EnginePage) -> None:
    """What a page was made for is what it runs, whatever the server has by now."""
    old = integrity(page.site.files[MANIFEST])
    page.loaded(integrity=old)
    page.site.files.update(Miniature(context=1000).files())
    page.loaded(integrity=integrity(page.site.files[MANIFEST]), context=1000)
    page.loaded(integrity=old, context=4096)
    assert_answers(page)


@pytest.mark.parametrize("scripts", [NO_OPFS, NO_OPFS + NO_CACHES], ids=["caches", "nothing"])
def test_less_storage_is_used_as_it_is(page: EnginePage, scripts: str) -> None:
    expected = integrity(page.site.files[MANIFEST])
    shut(page, scripts)
    page.loaded(integrity=expected)
    assert_answers(page)
    assert len(fetched(page)) == 7
    page.loaded(integrity=expected)
    assert_answers(page)
    assert len(fetched(page)) == (7 if NO_CACHES in scripts else 0)
    [stored] = call(page, "storedModels") or [None]
    sizes = sum(own_sizes(Miniature()).values())
    use = call(page, "storageUse")
    assert use["models"] == (0 if NO_CACHES in scripts else sizes)
    if stored:
        assert stored["missing"] == 0
        assert call(page, "deleteModel", expected) == sizes
        assert call(page, "storageUse")["models"] == 0


def test_what_an_earlier_version_kept_is_given_back(page: EnginePage) -> None:
    page.value("await caches.open('webkiln-files-1')")
    page.loaded()
    page.page.wait_for_function("async () => !(await caches.has('webkiln-files-1'))")


def test_stored_models_and_what_is_missing(page: EnginePage) -> None:
    sizes = own_sizes(Miniature())
    total = sum(sizes.values())
    question = {"model": f"{MODEL}/", "integrity": integrity(page.site.files[MANIFEST])}
    model = {"name": "mini", "integrity": question["integrity"], "total": total}
    assert call(page, "storedModels") == []
    nothing = {**model, "missing": total, "kept": 0}
    assert call(page, "storedModel", question) == nothing
    assert call(page, "storedModels") == [], "a manifest alone is no stored model"
    page.loaded()
    assert call(page, "storedModels") == [{**model, "missing": 0, "kept": total}]
    shard = sizes[f"{MODEL}/{SHARDS[0]}"]
    remove(page, page.site.files[f"{MODEL}/{SHARDS[0]}"])
    part = {**model, "missing": shard, "kept": total - shard}
    assert call(page, "storedModels") == [part]
    fetched(page)
    assert call(page, "storedModel", question) == part
    assert fetched(page) == []


def remove(page: EnginePage, content: bytes) -> None:
    page.value(
        """
        const root = await navigator.storage.getDirectory();
        const folder = await (await root.getDirectoryHandle("webkiln")).getDirectoryHandle("files");
        await folder.removeEntry(arg);
        """,
        hashlib.sha256(content).hexdigest(),
    )


def test_deleting_a_model_leaves_what_others_need(page: EnginePage) -> None:
    """Both have the same weights and tokenizer; their plans differ."""
    other = Miniature()
    other.kernels["sample"] += "\n"
    for path, body in other.files().items():
        page.site.files[path.replace(MODEL, OTHER)] = body
    page.loaded()
    page.loaded(model=OTHER)
    first, second = (integrity(page.site.files[f"{at}/manifest.json"]) for at in (MODEL, OTHER))
    assert {each["integrity"] for each in call(page, "storedModels")} == {first, second}
    own = sum(
        own_sizes(other)[f"{MODEL}/{name}"] for name in ("plans/f32.json", "kernels/f32.wgsl")
    )
    before = call(page, "storageUse")["models"]
    assert call(page, "deleteModel", second) == own
    assert call(page, "storageUse")["models"] == before - own
    [left] = call(page, "storedModels")
    assert (left["integrity"], left["missing"]) == (first, 0)
    assert call(page, "deleteModel", first) == before - own
    assert call(page, "storedModels") == []


def test_models_of_another_format_are_another_versions(page: EnginePage) -> None:
    """Its tabs may run them: they stay until somebody deletes them."""
    page.loaded()
    mine = integrity(page.site.files[MANIFEST])
    foreign = keep_foreign(page.page, b"weights of an older format")
    listed = {each["name"]: each for each in call(page, "storedModels")}
    assert listed.keys() == {"mini", "theirs"}
    assert (listed["theirs"]["integrity"], listed["theirs"]["kept"]) == (foreign, 26)
    call(page, "deleteModel", mine)
    [left] = call(page, "storedModels")
    assert (left["name"], left["kept"]) == ("theirs", 26)
    assert call(page, "deleteModel", foreign) == 26
    assert call(page, "storedModels") == []


def test_nothing_is_deleted_where_a_manifest_cannot_be_read(page: EnginePage) -> None:
    """Its weights would count as nobody's."""
    page.loaded()
    mine = integrity(page.site.files[MANIFEST])
    foreign = keep_foreign(page.page, b"weights of an older format")
    error = page.error(
        """
        const { arrayBuffer } = File.prototype;
        File.prototype.arrayBuffer = async function () {
          if (this.name === arg[1]) throw new DOMException("a bad sector", "NotReadableError");
          return arrayBuffer.call(this);
        };
        try {
          return await (await import("/engine.js")).deleteModel(arg[0]);
        } finally {
          delete File.prototype.arrayBuffer;
        }
        """,
        [mine, foreign.removeprefix("sha256-")],
    )
    assert error["code"] == "storage"
    assert "a bad sector" in error["message"]
    assert {each["name"] for each in call(page, "storedModels")} == {"mini", "theirs"}


def test_the_disk_is_told(page: EnginePage) -> None:
    page.loaded()
    use = call(page, "storageUse")
    assert use["models"] == sum(own_sizes(Miniature()).values())
    assert use["used"] > 0
    assert use["free"] > use["used"]
    assert use["persisted"] is False
    assert isinstance(call(page, "persistStorage"), bool)


def test_the_connection_is_told(page: EnginePage) -> None:
    assert call(page, "connection") == {
        "online": True,
        "metered": False,
        "saveData": False,
        "type": None,
    }
