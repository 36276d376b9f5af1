"""Downloads that survive anything: nothing is lost, nothing fetched twice, no corrupt byte used."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.engine_page import LOAD, EnginePage, engine_page
from tests.browser.miniature import MODEL, continuation, encode
from tests.browser.outcomes import record
from tests.browser.padded import MANIFEST, PADDED, SIZE, Padded, sha256
from tests.browser.site import Answer, Site, serve
from tests.support.tiers import sampled

IDS = encode("hello")
PATIENCE = 60_000  # ms
STALL = 0.3  # seconds: what was sent before has arrived
HTML = b"<!doctype html><title>This is not the file you are looking for</title>" * 10
# Names, sizes and hashes of what is kept; the hash of one that is damaged is not its name.
KEPT = """
  const root = await navigator.storage.getDirectory();
  const found = {};
  for (const name of ["files", "manifests"]) {
    const folder = await (await root.getDirectoryHandle("webkiln", { create: true }))
      .getDirectoryHandle(name, { create: true });
    for await (const file of folder.values()) {
      if (file.name.endsWith(".part")) continue; // of a worker that ended while it wrote
      const bytes = await (await file.getFile()).arrayBuffer();
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      found[file.name] = Array.from(digest, (b) => b.toString(16).padStart(2, "0")).join("");
    }
  }
  return found;
"""
FORGET = """
  const root = await navigator.storage.getDirectory();
  await root.removeEntry("webkiln", { recursive: true }).catch(() => {});
"""
# Begins to load; `loading` is the promise.
BEGIN = f"""
  window.loading = (async (arg) => {{ {LOAD} }})(arg).catch((error) => ({{ code: error.code }}));
"""
WAITING = "(reason) => window.progress?.at(-1)?.waiting === reason"


@pytest.fixture
def page(chromium: Browser) -> Iterator[EnginePage]:
    with engine_page(chromium, Padded(), hooks=True) as page:
        page.page.set_default_timeout(PATIENCE)
        page.open()
        yield page


@pytest.fixture
def expected(page: EnginePage) -> dict[str, Any]:
    """What createEngine is asked for."""
    integrity = f"sha256-{sha256(page.site.files[MANIFEST])}"
    return {"model": f"{MODEL}/", "integrity": integrity}


def assert_sound(page: EnginePage) -> None:
    """The model answers as it should, and every file that is kept has its hash for a name."""
    assert page.value("return engine.generate(arg, 8)", IDS) == continuation(IDS, 8)
    assert_unspoilt(page)


def assert_unspoilt(page: EnginePage) -> None:
    kept = page.value(KEPT)
    assert kept == {name: name for name in kept}


def assert_whole(page: EnginePage, options: dict[str, Any]) -> None:
    """A visit that finds everything kept asks for nothing."""
    page.site.hits.clear()
    page.loaded(**options)
    assert [path for path in page.site.hits if path.startswith(MODEL)] == []
    assert_sound(page)


def begin(page: EnginePage, options: dict[str, Any]) -> None:
    page.value(BEGIN, options)


def finished(page: EnginePage) -> Any:
    """What became of the load that was begun: info, or an error's code."""
    return page.value("return window.loading")


@contextmanager
def held(site: Site, path: str, *, resumes: bool = True) -> Iterator[threading.Event]:
    """The next answer of a path stops in the middle until the event is set, or ends then."""
    event = threading.Event()
    stop = {"cut": SIZE // 2, "hold": event, "resumes": resumes}
    site.faults[path].append(lambda answer: replace(answer, **stop))
    try:
        yield event
    finally:
        event.set()


def wait_for_kept(page: EnginePage, paths: list[str]) -> None:
    """Until these files are kept."""
    names = [sha256(page.site.files[path]) for path in paths]
    script = f"""
      const kept = async () => {{ {KEPT} }};
      const whole = async () => {{
        const found = await kept().catch(() => ({{}})); // files move while they are looked at
        return arg.every((name) => found[name] === name);
      }};
      while (!(await whole())) await new Promise((resolve) => setTimeout(resolve, 50));
    """
    page.value(script, names)


def received(page: Page, least: int) -> None:
    """Until so many bytes have arrived."""
    page.wait_for_function("(least) => window.progress?.at(-1)?.loaded >= least", arg=least)


def test_two_tabs_share_one_download(page: EnginePage, expected: dict[str, Any]) -> None:
    other = EnginePage(page.page.context.new_page(), page.site)
    other.open()
    with held(page.site, PADDED[0]) as event:
        begin(page, expected)
        wait_for_kept(page, PADDED[1:])
        begin(other, expected)
        other.page.wait_for_function(WAITING, arg="tab")
        event.set()
        assert finished(page)["model"] == finished(other)["model"] == "mini"
    for each in (page, other):
        assert_sound(each)
    asked = {path: hits for path, hits in page.site.hits.items() if path.startswith(MODEL)}
    assert asked == dict.fromkeys(asked, 1)
    last = other.page.evaluate("progress.at(-1)")
    assert last["cached"] == last["loaded"] == last["total"]
    record("two tabs at once", "recovered")


def test_a_reload_fetches_nothing_twice(page: EnginePage, expected: dict[str, Any]) -> None:
    with held(page.site, PADDED[0]):
        begin(page, expected)
        wait_for_kept(page, PADDED[1:])
        page.loaded(**expected)  # opens the page anew, which ends the worker and its requests
    assert_sound(page)
    assert [page.site.hits[path] for path in PADDED] == [2, 1, 1, 1]
    assert page.page.evaluate("progress.find(({ total }) => total).kept") >= 3 * SIZE
    record("reload in mid-download", "recovered")


def test_a_worker_killed_in_mid_download(page: EnginePage, expected: dict[str, Any]) -> None:
    with held(page.site, PADDED[0]):
        begin(page, expected)
        wait_for_kept(page, PADDED[1:])
        page.value("new BroadcastChannel('test').postMessage('end worker')")
        assert finished(page) == {"code": "worker-lost"}
    page.loaded(**expected)
    assert_sound(page)
    assert [page.site.hits[path] for path in PADDED] == [2, 1, 1, 1]
    record("worker killed in mid-download", "recovered")


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no-ranges"])
@pytest.mark.parametrize("trials", [5, pytest.param(50, marks=pytest.mark.soak)])
def test_connections_cut_anywhere(
    page: EnginePage, expected: dict[str, Any], trials: int, ranges: bool
) -> None:
    """Where the server can, the file goes on from where it was cut."""
    chance = random.Random(trials)
    page.site.ranges = ranges
    for trial in range(trials):
        page.value(FORGET)
        for counted in (page.site.sent, page.site.parts):
            counted.clear()  # of the trial before
        path, point = chance.choice(PADDED), chance.randrange(1, SIZE)
        ends = {"cut": point, "stall": STALL if trial % 2 else 0.0}
        page.site.faults[path] = [lambda answer, ends=ends: replace(answer, **ends)]
        page.loaded(**expected)
        assert_sound(page)
        # What was on its way when the connection ended may be lost; what had arrived is not.
        assert SIZE <= page.site.sent[path] <= SIZE + point
        if not ranges:
            assert page.site.parts.total() == 0
        elif ends["stall"]:
            assert page.site.parts[path] == 1
        record("connection cut at a random point", "recovered")


@pytest.mark.parametrize("trials", [20, pytest.param(1000, marks=pytest.mark.soak)])
def test_single_bytes_flipped(page: EnginePage, expected: dict[str, Any], trials: int) -> None:
    """Of one answer: it is asked for again. Of every answer: it is refused."""
    chance = random.Random(trials)
    files = [*PADDED, MANIFEST, MANIFEST]
    page.loaded(**expected)
    for trial in range(trials):
        path = chance.choice(files)
        point, bit = chance.randrange(len(page.site.files[path])), chance.randrange(8)
        forget(page, path)
        page.site.hits.clear()
        answers = 1 + trial % 2
        page.site.faults[path] = [flip(point, bit)] * answers
        result = page.attempt(LOAD, expected)
        assert page.site.hits[path] == 2
        if answers == 1:
            assert "error" not in result, result
            assert_sound(page)
        else:
            assert result["error"]["code"] == "integrity", (path, point, bit)
            assert_unspoilt(page)
        page.value("await window.engine?.dispose()")
        record("single byte flipped", "recovered" if answers == 1 else "refused")
    page.loaded(**expected)
    assert_sound(page)


def forget(page: EnginePage, path: str) -> None:
    """Removes one file from what is kept."""
    page.value(
        """
        const root = await navigator.storage.getDirectory();
        const folder = await root.getDirectoryHandle("webkiln");
        for (const name of ["files", "manifests"]) {
          const files = await folder.getDirectoryHandle(name);
          await files.removeEntry(arg).catch(() => {});
        }
        """,
        sha256(page.site.files[path]),
    )


def flip(point: int, bit: int) -> Callable[[Answer], Answer]:
    def flipped(answer: Answer) -> Answer:
        body = bytearray(answer.body)
        body[point] ^= 1 << bit
        return replace(answer, body=bytes(body))

    return flipped


# Each is how a server answers, and the code of the error it ends in when it never does better.
ANSWERS: dict[str, tuple[Callable[[Answer], Answer], str]] = {
    "404": (lambda _: Answer(404), "network"),
    "500": (lambda _: Answer(500), "network"),
    "HTML": (lambda _: Answer(body=HTML, type="text/html"), "network"),
    "HTML as bytes": (lambda _: Answer(body=HTML), "integrity"),
    "truncated on the way": (lambda answer: replace(answer, cut=SIZE // 3), "network"),
    "truncated": (lambda answer: replace(answer, body=answer.body[:-1]), "integrity"),
    "too long": (lambda answer: replace(answer, body=answer.body + b"!"), "integrity"),
    "wrong length": (lambda answer: replace(answer, length=len(answer.body) - 9), "integrity"),
    "empty": (lambda answer: replace(answer, body=b""), "integrity"),
}


@pytest.mark.parametrize("name", sampled(ANSWERS, ["500", "truncated on the way", "wrong length"]))
def test_a_server_that_answers_wrongly(
    page: EnginePage, expected: dict[str, Any], name: str
) -> None:
    """It ends in one typed error that names the file; once the server is well again, it works."""
    answer, code = ANSWERS[name]
    page.site.ranges = False
    path = PADDED[1]
    page.site.faults[path] = [answer] * 9
    error = page.refused(**expected)
    assert error["code"] == code
    assert path.removeprefix(f"{MODEL}/") in error["message"]
    assert_unspoilt(page)
    assert sha256(page.site.files[path]) not in page.value(KEPT)
    page.site.faults.clear()
    page.loaded(**expected)
    assert_sound(page)
    record(f"server answers: {name}", "refused")


@pytest.mark.parametrize("name", sampled(ANSWERS, ["HTML", "truncated"]))
def test_a_mirror_helps_out(page: EnginePage, expected: dict[str, Any], name: str) -> None:
    """A mirror of another origin serves what the first one does not, and that is said."""
    answer, _ = ANSWERS[name]
    site = Site(page.site.files)
    site.headers = {
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    with serve(site):
        page.site.faults[PADDED[1]] = [answer] * 9
        info = page.loaded(**expected, mirrors=[f"{site.address}{MODEL}/"])
        assert_sound(page)
        assert site.hits[PADDED[1]] == 1
        [note] = info["notes"]
        assert re.match(r"\d of 9 files came from the mirror 127.0.0.1:", note)
    record(f"server answers: {name}, with a mirror", "recovered")


def begin_and_pause(page: EnginePage, expected: dict[str, Any]) -> None:
    """With the first file held up, and all others there."""
    begin_with_controls(page, expected)
    wait_for_kept(page, PADDED[1:])
    page.value("download.pause()")


def test_paused_resumed_and_cancelled(page: EnginePage, expected: dict[str, Any]) -> None:
    """What has arrived is not fetched again, and other tabs may go on in the meantime."""
    path = PADDED[0]
    with held(page.site, path):
        begin_and_pause(page, expected)
        page.page.wait_for_function(WAITING, arg="paused")
        other = EnginePage(page.page.context.new_page(), page.site)
        other.loaded(**expected)
        assert_sound(other)
        assert page.site.hits[path] == 2
        page.value("download.resume()")
        assert finished(page)["model"] == "mini"
    assert_sound(page)
    assert page.site.hits[path] == 2, "the other tab had fetched it"
    record("paused and resumed", "recovered")


def test_a_paused_file_goes_on_where_it_was(page: EnginePage, expected: dict[str, Any]) -> None:
    path = PADDED[0]
    with held(page.site, path):
        begin_and_pause(page, expected)
        page.page.wait_for_function(WAITING, arg="paused")
    page.value("download.resume()")
    assert finished(page)["model"] == "mini"
    assert_sound(page)
    assert page.site.parts == {path: 1}


def test_cancelled(page: EnginePage, expected: dict[str, Any]) -> None:
    with held(page.site, PADDED[0]):
        begin_and_pause(page, expected)
        page.value("download.cancel()")
        assert finished(page) == {"code": "aborted"}
        page.value(f"arg = {{ ...arg, download }}; {BEGIN}", expected)
        assert finished(page) == {"code": "aborted"}, "a cancelled download is spent"
    page.loaded(**expected)
    assert_sound(page)
    assert [page.site.hits[path] for path in PADDED] == [2, 1, 1, 1]


def begin_with_controls(page: EnginePage, options: dict[str, Any]) -> None:
    page.value(
        f"""
        const {{ Download }} = await import("/engine.js");
        window.download = new Download();
        arg = {{ ...arg, download }};
        {BEGIN}
        """,
        options,
    )


def test_a_lost_network_is_waited_for(page: EnginePage, expected: dict[str, Any]) -> None:
    context = page.page.context
    page.loaded(**expected)  # so that the page has all of its own files
    page.value("await engine.dispose()")
    page.value(FORGET)
    with held(page.site, PADDED[0], resumes=False) as event:
        begin(page, expected)
        wait_for_kept(page, PADDED[1:])
        context.set_offline(True)
        event.set()
        page.page.wait_for_function(WAITING, arg="offline")
        context.set_offline(False)
    assert finished(page)["model"] == "mini"
    assert_sound(page)
    record("network lost and found", "recovered")


def test_a_full_disk(page: EnginePage, expected: dict[str, Any]) -> None:
    """It is said, with what is free and what was needed; the model runs from memory."""
    client = page.page.context.new_cdp_session(page.page)
    quota = {"origin": page.site.address, "quotaSize": 2 * SIZE}
    client.send("Storage.overrideQuotaForOrigin", quota)
    info = page.loaded(**expected)
    assert_sound(page)
    [note] = info["notes"]
    assert "no room to keep this model" in note
    assert "free for this site" in note
    assert "delete a model" in note
    client.send("Storage.overrideQuotaForOrigin", {"origin": page.site.address})
    page.site.hits.clear()
    again = page.loaded(**expected)
    assert again["notes"] == []
    assert 0 < sum(page.site.hits[path] for path in PADDED) <= len(PADDED)
    assert_whole(page, expected)
    record("quota exhausted", "recovered")


def test_storage_evicted_between_visits(page: EnginePage, expected: dict[str, Any]) -> None:
    page.loaded(**expected)
    page.page.goto("about:blank")
    client = page.page.context.new_cdp_session(page.page)
    kinds = "file_systems,cache_storage,indexeddb"
    client.send("Storage.clearDataForOrigin", {"origin": page.site.address, "storageTypes": kinds})
    page.site.hits.clear()
    info = page.loaded(**expected)
    assert_sound(page)
    assert [page.site.hits[path] for path in PADDED] == [1, 1, 1, 1]
    [note] = info["notes"]
    assert "were gone, and were downloaded again" in note
    assert_whole(page, expected)
    record("storage evicted between visits", "recovered")


def test_a_damaged_file_is_replaced_and_that_is_said(
    page: EnginePage, expected: dict[str, Any]
) -> None:
    page.loaded(**expected)
    spoil(page, PADDED[2])
    info = page.loaded(**expected)
    assert_sound(page)
    assert info["notes"] == [
        "Some of what this browser had kept of the model was damaged; it was downloaded again."
    ]
    assert_whole(page, expected)
    record("kept file damaged", "recovered")


def spoil(page: EnginePage, path: str) -> None:
    """Flips a bit of a file that is kept."""
    page.value(
        """
        const root = await navigator.storage.getDirectory();
        const folder = await (await root.getDirectoryHandle("webkiln")).getDirectoryHandle("files");
        const file = await folder.getFileHandle(arg);
        const bytes = new Uint8Array(await (await file.getFile()).arrayBuffer());
        bytes[bytes.length >> 1] ^= 8;
        const writable = await file.createWritable();
        await writable.write(bytes);
        await writable.close();
        """,
        sha256(page.site.files[path]),
    )
