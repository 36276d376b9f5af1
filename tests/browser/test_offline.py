"""The page without a network, and beside another version of itself."""

from __future__ import annotations

from pathlib import Path
from shutil import copy, copytree

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_page import ChatPage, until, visit
from tests.browser.offline_site import (
    BELOW,
    Host,
    arrive,
    deploy,
    kept,
    other_build,
    talk,
    version,
)
from tests.browser.site import DIST
from tests.support.tiers import sampled
from web.options import SiteOptions

CACHES = "caches.keys().then((names) => names.filter((name) => name.startsWith('webkiln http')))"
LISTEN = """navigator.serviceWorker.addEventListener("message", ({ data }) => {
  if (data.type === "failed") window.said = data;
});"""
# Until the worker that came with it is installed, or has failed.
RENEW = """(async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  const found = new Promise((go) => {
    registration.addEventListener("updatefound", () => go(registration.installing));
  });
  await registration.update();
  const worker = await found;
  while (worker.state === "installing") {
    await new Promise((go) => worker.addEventListener("statechange", go, { once: true }));
  }
  return worker.state;
})()"""
FORGET_MANIFESTS = """navigator.storage.getDirectory()
  .then((root) => root.getDirectoryHandle("webkiln"))
  .then((own) => own.removeEntry("manifests", { recursive: true }))"""
REGISTRATIONS = "navigator.serviceWorker.getRegistrations().then((all) => all.length)"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return other_build(DIST, tmp_path_factory.mktemp("other") / "dist")


def assert_clean(chat: ChatPage) -> None:
    """Nothing went wrong; that the server was not reached, browsers always write down."""
    chat.problems = [each for each in chat.problems if "Failed to load resource" not in each]
    chat.assert_clean()


def test_a_whole_conversation_with_the_network_cut(chromium: Browser, mini_site: str) -> None:
    with visit(chromium, mini_site, service_workers="allow") as chat:
        chat.climb(backend="wasm")
        chat.start()
        kept(chat)
        chat.context.set_offline(True)
        talk(chat)
        chat.page.reload()
        expect(chat.get("input")).to_be_visible()  # a model that is known loads by itself
        chat.get("new-chat").click()
        talk(chat)
        chat.page.get_by_test_id("settings").click()
        kept(chat)
        assert_clean(chat)


@pytest.mark.soak
def test_a_server_that_is_gone(guest: ChatPage, plain_host: Host) -> None:
    arrive(guest)
    kept(guest)
    guest.start()
    plain_host.stop()
    talk(guest)
    tab = guest.new_tab()
    tab.goto(f"{guest.address}/?backend=wasm&threads=2")
    expect(tab.get_by_test_id("input")).to_be_visible()
    tab.get_by_test_id("settings").click()
    kept(guest, tab)
    # Words that this visit never needed are there, too.
    tab.get_by_test_id("language").select_option("fr")
    expect(tab.locator("html")).to_have_attribute("lang", "fr")
    assert_clean(guest)


def test_an_open_tab_goes_on_beside_a_new_version(
    guest: ChatPage, plain_host: Host, plain_models: Path, other: Path, plain_site: Path
) -> None:
    arrive(guest)
    kept(guest)
    guest.start()
    talk(guest)
    old = version(plain_site)
    deploy(plain_models, plain_site, other)
    tab = guest.new_tab()
    tab.goto(f"{guest.address}/?backend=wasm")
    expect(tab.get_by_test_id("update")).to_contain_text("A new version of this page is ready")
    expect(guest.get("update")).to_contain_text("A new version of this page is ready")
    assert tab.title() == "Webkiln"
    # The server has none of this version any more.
    assert not (plain_site / "assets" / old).exists()
    tab.get_by_test_id("update-now").click()
    expect(tab).to_have_title("Other")
    kept(guest, tab)
    plain_host.requests.clear()
    guest.page.bring_to_front()  # what lies behind another tab takes its time
    talk(guest)
    lazy = next((DIST / "assets" / version(DIST)).glob("it-*.js")).name
    script = f"import('./assets/{old}/{lazy}').then(({{ words }}) => words.site.settings)"
    assert guest.page.evaluate(script) == "Impostazioni"
    # A worker that begins now is of the tab's own version.
    guest.get("settings").click()
    guest.get("run-on").select_option("wasm")
    guest.get("settings-close").click()
    guest.page.evaluate("document.getElementById('run-on-reload').click()")
    talk(guest)
    assert old in guest.worker.url
    assert not [path for path in plain_host.requests if old in path]
    # The last tab of the old version is closed: nothing keeps its files.
    assert len(tab.evaluate(CACHES)) == 2
    guest.page.close()
    tab.reload()
    until(tab, f"(await {CACHES}).length === 1")
    assert tab.title() == "Other"


def test_a_new_version_takes_over_when_no_tab_is_left(
    guest: ChatPage, plain_host: Host, plain_models: Path, other: Path, plain_site: Path
) -> None:
    arrive(guest)
    kept(guest)
    deploy(plain_models, plain_site, other)
    guest.page.reload()
    expect(guest.get("update")).to_contain_text("A new version of this page is ready")
    assert guest.page.title() == "Webkiln"
    guest.page.close()
    plain_host.stop()
    page = guest.new_tab()
    page.goto(guest.address + "/")
    expect(page).to_have_title("Other")
    kept(guest, page)


def test_an_update_that_breaks_off_leaves_the_version_that_works(
    guest: ChatPage, plain_host: Host, plain_models: Path, other: Path, plain_site: Path
) -> None:
    arrive(guest)
    kept(guest)
    deploy(plain_models, plain_site, other)
    plain_host.cut.add("worker.js")
    guest.context.add_init_script(LISTEN)
    guest.page.reload()
    script = f"assets/{version(plain_site)}/worker.js"
    until(guest.page, f"window.said?.problem.file === '{script}'")
    kept(guest)
    [only] = guest.page.evaluate(CACHES)
    plain_host.stop()
    guest.page.reload()
    kept(guest)
    assert guest.page.title() == "Webkiln"
    plain_host.cut.clear()
    plain_host.start()
    guest.page.reload()
    expect(guest.get("update")).to_contain_text("A new version of this page is ready")
    assert only in guest.page.evaluate(CACHES)


def test_a_model_compiled_anew_is_there_after_an_update(
    guest: ChatPage, plain_models: Path, plain_site: Path, tmp_path: Path
) -> None:
    """A reload brings the page of before, which knows the model of before and no other."""
    arrive(guest)
    kept(guest)
    anew = copytree(plain_models, tmp_path / "models")
    manifest = next(anew.glob("*/manifest.json"))
    manifest.write_text(manifest.read_text() + "\n")
    deploy(anew, plain_site)
    guest.page.evaluate(FORGET_MANIFESTS)
    guest.page.reload()
    guest.expect_notice("integrity", "Update this page where it offers that")
    expect(guest.get("error")).to_contain_text("knows the models that are on the site now")
    guest.get("update-page").click()
    expect(guest.get("load")).to_be_enabled()
    expect(guest.get("error")).to_be_hidden()
    guest.start()


RENEWED = ["the list is the next version's", "the network is lost"]


@pytest.mark.parametrize("fault", sampled(RENEWED, ["the network is lost"]))
def test_a_service_worker_that_is_renewed_takes_nothing_away(
    guest: ChatPage, plain_host: Host, plain_models: Path, other: Path, plain_site: Path, fault: str
) -> None:
    """Browsers look by themselves for another sw.js at the address of the one in use."""
    arrive(guest)
    kept(guest)
    guest.start()
    if "network" in fault:
        plain_host.cut.add("app.json")
    deploy(plain_models, plain_site, other)
    guest.page.evaluate(RENEW)
    assert len(guest.page.evaluate(CACHES)) == 1
    plain_host.stop()
    guest.page.reload()
    kept(guest)
    assert guest.page.title() == "Webkiln"
    expect(guest.get("input")).to_be_visible()
    talk(guest)


@pytest.mark.soak
def test_a_damaged_file_is_never_kept(guest: ChatPage, plain_site: Path) -> None:
    script = plain_site / "assets" / version(plain_site) / "thread.js"
    script.write_bytes(script.read_bytes()[:-1] + b"\0")
    guest.climb(backend="wasm", threads="1")
    state = guest.get("offline-state")
    expect(state).to_have_attribute("data-state", "integrity")
    expect(state).to_contain_text("thread.js has other content than the site's list")
    assert guest.page.evaluate(CACHES) == []
    guest.start()
    talk(guest)


def test_no_room_to_keep_it(guest: ChatPage, plain_host: Host) -> None:
    session = guest.context.new_cdp_session(guest.page)
    quota = {"origin": plain_host.origin, "quotaSize": 1000}
    session.send("Storage.overrideQuotaForOrigin", quota)
    arrive(guest)  # threads need no room
    state = guest.get("offline-state")
    expect(state).to_have_attribute("data-state", "storage")
    expect(state).to_contain_text("Use without a network is not possible")
    guest.start()
    talk(guest)
    # Room again: the next visit keeps it.
    session.send("Storage.overrideQuotaForOrigin", {"origin": plain_host.origin})
    guest.page.reload()
    kept(guest)


def test_storage_that_is_shut(guest: ChatPage, plain_site: Path) -> None:
    shut = 'caches.open = () => Promise.reject(new DOMException("shut", "SecurityError"));'
    worker = plain_site / "sw.js"
    worker.write_text(shut + worker.read_text())
    guest.climb(backend="wasm")
    expect(guest.get("offline-state")).to_have_attribute("data-state", "storage")
    guest.start()
    talk(guest)


@pytest.mark.soak
def test_files_that_were_deleted_are_kept_again(guest: ChatPage, plain_host: Host) -> None:
    arrive(guest)
    kept(guest)
    guest.page.evaluate(
        f"{CACHES}.then((names) => Promise.all(names.map((n) => caches.delete(n))))"
    )
    guest.page.reload()
    kept(guest)
    plain_host.stop()
    guest.page.reload()
    kept(guest)


@pytest.mark.soak  # now and then Chromium takes five minutes to let go of the worker before
def test_a_site_without_offline_use(guest: ChatPage, plain_models: Path, plain_site: Path) -> None:
    """Who was here before loses the service worker, and who comes then gets none."""
    arrive(guest)
    kept(guest)
    deploy(plain_models, plain_site, options=SiteOptions(base_path=f"/{BELOW}/", offline=False))
    guest.page.reload()
    until(guest.page, f"(await {REGISTRATIONS}) === 0")
    assert guest.page.evaluate(CACHES) == []
    guest.requests.clear()
    guest.page.reload()
    expect(guest.get("offline-state")).to_have_attribute("data-state", "off")
    guest.start()
    assert guest.page.evaluate(REGISTRATIONS) == 0
    assert not [url for url in guest.requests if "/sw.js" in url or "/app.json" in url]
    assert guest.page.evaluate("crossOriginIsolated") is False


def test_a_site_that_takes_its_service_worker_away(guest: ChatPage, plain_site: Path) -> None:
    arrive(guest)
    kept(guest)
    copy(plain_site / "sw-remove.js", plain_site / "sw.js")
    guest.page.reload()
    until(guest.page, f"(await {REGISTRATIONS}) === 0")
    assert guest.page.evaluate(CACHES) == []
    guest.page.reload()
    expect(guest.get("offline-state")).to_have_attribute("data-state", "off")
    guest.start()
    talk(guest)
