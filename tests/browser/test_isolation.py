"""The service worker on hosts that isolate pages and on hosts that cannot; what it leaves alone."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.chat_page import ChatPage, visit
from tests.browser.hosts import python_server
from tests.browser.offline_site import BELOW, Host, arrive, deploy, hosting, kept, talk
from web.headers import security_headers
from web.options import SiteOptions

HEADERS = security_headers(SiteOptions())
TWO_THREADS = "processor (WebAssembly, 2 threads)"
OPENER = "cross-origin-opener-policy"
FETCH = """async ([path, headers]) => {
  const response = await fetch(path, { headers });
  return [response.status, Object.fromEntries(response.headers)];
}"""


def navigations(chat: ChatPage) -> list[str]:
    """Grows whenever the tab opens a page."""
    opened: list[str] = []
    chat.page.on("framenavigated", lambda frame: opened.append(frame.url))
    return opened


def test_threads_on_python_http_server(chromium: Browser, plain_site: Path, tmp_path: Path) -> None:
    with (
        python_server(tmp_path / "root") as origin,
        visit(chromium, f"{origin}/{BELOW}", service_workers="allow") as chat,
    ):
        opened = navigations(chat)
        arrive(chat)
        kept(chat)
        assert len(opened) == 2
        chat.start()
        chat.expect_running(TWO_THREADS)
        talk(chat)
        kept(chat)
        chat.assert_clean()


def test_models_of_another_origin(guest: ChatPage, plain_models: Path, plain_site: Path) -> None:
    # CORS alone: what is fetched with it needs no Cross-Origin-Resource-Policy.
    with hosting(plain_models, {"Access-Control-Allow-Origin": "*"}) as models:
        options = SiteOptions(base_path=f"/{BELOW}/", models_url=f"{models.origin}/")
        deploy(plain_models, plain_site, options=options)
        arrive(guest)
        guest.start()
        guest.expect_running(TWO_THREADS)
        talk(guest)
        assert all(url.startswith(models.origin) for url in guest.strangers())
        assert guest.problems == []
        guest.requests.clear()


def test_nothing_is_added_where_the_host_isolates(chromium: Browser, mini_site: str) -> None:
    with visit(chromium, mini_site, service_workers="allow") as chat:
        opened = navigations(chat)
        first = chat.page.goto(f"{mini_site}/?backend=wasm")
        expect(chat.get("load")).to_be_enabled()
        assert not [
            url for url in chat.requests if url.endswith("/app.json")
        ]  # a first visit's network is the model's
        chat.start()
        kept(chat)
        assert len(opened) == 1
        again = chat.page.reload()
        assert first
        assert again
        assert not first.from_service_worker
        assert again.from_service_worker
        ours = [name.lower() for name in HEADERS]
        assert {name: again.headers[name] for name in ours} == {
            name: first.headers[name] for name in ours
        }
        chat.assert_clean()


def test_the_policy_of_a_host_is_kept(chromium: Browser, plain_site: Path, tmp_path: Path) -> None:
    policy = HEADERS["Content-Security-Policy"]
    with (
        hosting(tmp_path / "root", {"Content-Security-Policy": policy}) as host,
        visit(chromium, host.address, service_workers="allow") as chat,
    ):
        arrive(chat)
        host.stop()
        response = chat.page.reload()
        assert response
        assert response.headers["content-security-policy"] == policy
        assert response.headers[OPENER] == "same-origin"


def test_workers_get_the_sites_policy_where_the_host_sends_none(guest: ChatPage) -> None:
    """A worker has the policy of its own script's answer, which <meta> in the page cannot set."""
    arrive(guest)
    kept(guest)
    again = guest.page.reload()
    assert again
    ours = security_headers(SiteOptions(base_path=f"/{BELOW}/"))
    assert {name: again.headers[name.lower()] for name in ours} == ours
    guest.start()
    end = guest.worker.evaluate(
        """() => new Promise((end) => {
          addEventListener("securitypolicyviolation", (e) => end(e.violatedDirective));
          fetch("https://elsewhere.example/").then(() => end("done"), () => {});
        })"""
    )
    assert end == "connect-src"
    guest.expect_running(TWO_THREADS)
    talk(guest)


def test_a_host_that_forbids_isolation_is_no_reason_to_reload(
    chromium: Browser, plain_site: Path, tmp_path: Path
) -> None:
    headers = {"Cross-Origin-Opener-Policy": "unsafe-none"}
    with (
        hosting(tmp_path / "root", headers) as host,
        visit(chromium, host.address, service_workers="allow") as chat,
    ):
        opened = navigations(chat)
        chat.page.goto(f"{host.address}/?backend=wasm", wait_until="commit")
        kept(chat)
        chat.page.reload()
        kept(chat)
        assert len(opened) == 2
        assert chat.page.evaluate("crossOriginIsolated") is False


def test_who_has_begun_is_not_interrupted(guest: ChatPage, plain_host: Host) -> None:
    opened = navigations(guest)
    plain_host.open.clear()
    guest.climb(backend="wasm")
    guest.get("settings").click()
    plain_host.open.set()
    kept(guest)
    assert len(opened) == 1
    expect(guest.get("settings-dialog")).to_be_visible()


def test_what_is_not_the_page_is_left_alone(guest: ChatPage, plain_site: Path) -> None:
    (plain_site / "other.html").write_text("<title>Another page below the scope</title>")
    (plain_site.parent / "above.html").write_text("<title>A page above it</title>")
    arrive(guest)
    kept(guest)

    def isolated(path: str, headers: dict[str, str] | None = None) -> bool:
        """Whether the service worker answered: it alone adds these headers."""
        status, answered = guest.page.evaluate(FETCH, [path, headers or {}])
        assert status in (200, 206)
        return OPENER in answered

    assert isolated("./engine.js")
    assert not isolated("./engine.js", {"Range": "bytes=0-9"})
    assert not isolated("./models/mini/manifest.json")
    assert not isolated("./other.html")
    assert not isolated("../above.html")
    tab = guest.new_tab()
    response = tab.goto(f"{guest.address}/other.html")
    assert response
    assert not response.from_service_worker


def test_the_page_can_be_installed(guest: ChatPage) -> None:
    guest.climb(backend="wasm")
    session = guest.context.new_cdp_session(guest.page)
    manifest = session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["url"] == f"{guest.address}/manifest.webmanifest"
    found = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # A window without a profile, which tests are in, installs nothing.
    assert [each["errorId"] for each in found if each["errorId"] != "in-incognito"] == []
    guest.get("settings").click()
    expect(guest.get("install-app")).to_be_hidden()
    guest.page.evaluate(
        """() => {
          const offer = new Event("beforeinstallprompt", { cancelable: true });
          offer.prompt = async () => { window.prompted = true; };
          dispatchEvent(offer);
        }"""
    )
    guest.get("install-app").click()
    assert guest.page.evaluate("window.prompted")
    expect(guest.get("install-app")).to_be_hidden()
