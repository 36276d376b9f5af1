"""Without a network; beside a new version of the site; as an app."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import expect

from tests.browser.offline_site import OTHER, kept, talk, version
from tests.browser.site import DIST
from tests.walk.journey import Journey

OFFER = """() => {
  const offer = new Event("beforeinstallprompt", { cancelable: true });
  offer.prompt = async () => { window.prompted = true; };
  dispatchEvent(offer);
}"""
# What browsers write down by themselves when nobody answers.
UNREACHED = "Failed to load resource: net::ERR_"


@contextmanager
def no_network(journey: Journey) -> Iterator[None]:
    """Neither for the browser, nor would the host answer."""
    journey.chat.assert_no_problems()
    journey.chat.context.set_offline(True)
    journey.place.line.cut()
    try:
        yield
    finally:
        journey.place.line.mend()
        journey.chat.context.set_offline(False)
    journey.chat.problems = [
        each for each in journey.chat.problems if not each.startswith(UNREACHED)
    ]


def talks_without_a_network(journey: Journey) -> None:
    chat = journey.chat
    kept(chat)
    with no_network(journey):
        chat.page.reload()
        expect(journey.get("input")).to_be_visible()
        journey.new_chat()
        talk(chat)
        journey.get("settings").click()
        kept(chat)
        journey.get("settings-close").click()
        chat.page.reload()
        expect(journey.get("answer")).to_have_count(2)


def goes_on_beside_a_new_version(journey: Journey) -> None:
    """The tab that is open keeps its version; another one takes the new one."""
    chat = journey.chat
    expect(journey.get("input")).to_be_visible()
    journey.place.deploy(journey.next)
    tab = chat.new_tab()
    tab.goto(chat.page.url.split("#")[0])
    expect(tab.get_by_test_id("update")).to_contain_text("A new version of this page is ready")
    expect(journey.get("update")).to_contain_text("Tabs that are open keep theirs until closed.")
    assert tab.title() == "Webkiln"
    tab.get_by_test_id("update-now").click()
    expect(tab).to_have_title("Other")
    kept(chat, tab)
    talk(chat)
    assert chat.page.title() == "Webkiln"
    assert version(DIST) in chat.worker.url
    tab.close()


def takes_the_new_version(journey: Journey) -> None:
    chat = journey.chat
    journey.get("update-now").click()
    expect(chat.page).to_have_title("Other")
    expect(journey.get("input")).to_be_visible()
    expect(journey.get("answer")).to_have_count(4)
    talk(chat)
    assert OTHER in chat.worker.url
    kept(chat)


def is_offered_an_app(journey: Journey) -> None:
    """A window without a profile, which tests are in, installs nothing: the offer is the test's."""
    chat = journey.chat
    session = chat.context.new_cdp_session(chat.page)
    found = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert {each["errorId"] for each in found} <= {"in-incognito"}
    session.detach()
    journey.get("settings").click()
    expect(journey.get("install-app")).to_be_hidden()
    chat.page.evaluate(OFFER)
    journey.get("install-app").click()
    assert chat.page.evaluate("window.prompted") is True
    expect(journey.get("install-app")).to_be_hidden()
    journey.get("settings-close").click()


STEPS = [
    talks_without_a_network,
    goes_on_beside_a_new_version,
    takes_the_new_version,
    is_offered_an_app,
]
