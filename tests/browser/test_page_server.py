"""The last rung: a server the person names, and every way it can go wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.chat_page import WATCH_ANSWERS, ChatPage, visit
from tests.browser.fault_server import ANSWER, TOKEN, FaultServer
from tests.browser.offline_site import write_models
from tests.browser.server_site import ServerDialog, allowing, on_server

QUESTION = "What is clay?"
DIALOG = "**/dialog-*.js"  # the script of the dialog, fetched when it is needed


@pytest.fixture(scope="module")
def site(faults: FaultServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    models = write_models(tmp_path_factory.mktemp("site"))
    with allowing(models, faults.origin, alias(faults), "http://127.0.0.1:1") as address:
        yield address


def alias(faults: FaultServer) -> str:
    """The same server as another origin."""
    return faults.origin.replace("127.0.0.1", "localhost")


@pytest.fixture
def guest(chromium: Browser, site: str, faults: FaultServer) -> Iterator[ChatPage]:
    """Somebody whose site allows the server; nothing is requested anywhere else."""
    faults.seen.clear()
    with visit(chromium, site) as page:
        yield page
        allowed = (faults.origin, alias(faults))
        assert {url for url in page.strangers() if not url.startswith(allowed)} <= {
            "http://127.0.0.1:1/v1/models"
        }


def test_a_conversation_with_a_server(guest: ChatPage, faults: FaultServer) -> None:
    guest.climb()
    dialog = ServerDialog(guest)
    dialog.get("start").click()
    expect(dialog.get("use")).to_be_hidden()
    dialog.connect(faults.base("locked"), TOKEN)
    expect(dialog.get("offer")).to_contain_text(
        f"this conversation as a whole goes to {faults.origin}"
    )
    expect(dialog.get("offer")).to_contain_text("runs on this device")
    assert faults.asked("POST") == []  # asking for the models sends nothing of the conversation
    dialog.get("use").click()
    expect(dialog.get("chip")).to_have_text(f"Server: {faults.origin.removeprefix('http://')}")
    expect(dialog.get("sign")).to_contain_text(f"What you send goes to {faults.origin}.")
    expect(guest.page.get_by_text("Nothing you type leaves this tab.")).to_have_count(2)
    for promise in guest.page.get_by_text("Nothing you type leaves this tab.").all():
        expect(promise).to_be_hidden()
    guest.configure(temperature=0, max_tokens=16, repetition_penalty=1.2)
    assert guest.ask(QUESTION) == "".join(ANSWER)
    expect(guest.get("stats")).to_contain_text("4 tokens")
    expect(guest.get("context")).to_be_hidden()
    guest.ask("And a kiln?")
    [first, second] = faults.asked("POST")
    assert first.path == "/locked/v1/chat/completions"
    assert first.headers["Authorization"] == f"Bearer {TOKEN}"
    assert not {"Cookie", "Referer"} & set(first.headers)
    wanted = {"model": "faulty", "stream": True, "temperature": 0, "max_tokens": 16}
    assert {name: first.body[name] for name in wanted} == wanted
    assert first.body["repeat_penalty"] == 1.2
    assert first.body["messages"] == [{"role": "user", "content": QUESTION}]
    assert second.body["messages"] == [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "".join(ANSWER)},
        {"role": "user", "content": "And a kiln?"},
    ]
    guest.assert_no_problems()


def loaded_on_server(guest: ChatPage, faults: FaultServer) -> ServerDialog:
    """The server is chosen for a conversation that a model in the tab could answer."""
    guest.climb()
    guest.start()
    dialog = ServerDialog(guest)
    guest.get("rung").click()
    dialog.get("offer-device").click()
    dialog.choose(faults.base("answer"))
    return dialog


def test_it_ends_with_the_conversation(guest: ChatPage, faults: FaultServer) -> None:
    dialog = loaded_on_server(guest, faults)
    assert guest.ask(QUESTION) == "".join(ANSWER)
    guest.get("new-chat").click()
    expect(dialog.get("sign")).to_be_hidden()
    expect(dialog.get("chip")).to_be_hidden()
    expect(guest.get("rung")).to_be_visible()
    asked = len(faults.seen)
    assert guest.ask(QUESTION) != "".join(ANSWER)
    guest.page.reload()
    expect(dialog.get("chip")).to_be_hidden()
    assert len(faults.seen) == asked
    guest.assert_no_problems()


def test_what_comes_late_chooses_nothing(guest: ChatPage, faults: FaultServer) -> None:
    """A conversation's server is looked up while its successor is begun already."""
    dialog = loaded_on_server(guest, faults)
    guest.ask(QUESTION)
    held: list[Route] = []
    guest.page.route(DIALOG, lambda route: held.append(route))
    guest.page.reload()
    expect(guest.get("input")).to_be_visible()
    expect(guest.get("answer")).to_have_count(1)
    guest.get("new-chat").click()
    expect(guest.get("answer")).to_have_count(0)
    [late] = held
    with guest.page.expect_response(DIALOG):
        late.continue_()
    asked = len(faults.seen)
    assert guest.ask(QUESTION) != "".join(ANSWER)
    expect(dialog.get("chip")).to_be_hidden()
    assert len(faults.seen) == asked
    guest.assert_no_problems()


def test_it_can_be_left_at_any_time(guest: ChatPage, faults: FaultServer) -> None:
    dialog = on_server(guest, faults.base("answer"))
    guest.ask(QUESTION)
    dialog.get("leave").click()
    expect(dialog.get("sign")).to_be_hidden()
    expect(guest.get("load")).to_be_visible()  # no model was loaded yet
    guest.start()
    asked = len(faults.seen)
    guest.ask("And a kiln?")
    assert len(faults.seen) == asked
    expect(guest.get("message-user")).to_have_count(2)


def test_a_token_is_forgotten_unless_it_is_to_be_kept(guest: ChatPage, faults: FaultServer) -> None:
    dialog = on_server(guest, faults.base("locked"), TOKEN)
    stores = "JSON.stringify([{ ...sessionStorage }, { ...localStorage }])"
    assert TOKEN not in guest.page.evaluate(stores)
    dialog.get("chip").click()
    expect(dialog.get("token")).to_have_value(TOKEN)
    dialog.get("keep").check()
    dialog.choose(faults.base("locked"), TOKEN)
    [session, local] = json.loads(guest.page.evaluate(stores))
    assert TOKEN in session.values()
    assert TOKEN not in json.dumps(local)
    guest.page.reload()
    dialog.get("start").click()
    expect(dialog.get("keep")).to_be_checked()
    expect(dialog.get("token")).to_have_value(TOKEN)
    dialog.get("keep").uncheck()
    dialog.choose(faults.base("locked"), TOKEN)
    assert TOKEN not in guest.page.evaluate(stores)


def test_one_servers_token_goes_to_no_other(guest: ChatPage, faults: FaultServer) -> None:
    """The same server under another name is another origin, and another's to the page."""
    dialog = on_server(guest, faults.base("answer"), TOKEN)
    dialog.get("chip").click()
    expect(dialog.get("token")).to_have_value(TOKEN)
    faults.seen.clear()
    dialog.get("address").fill(f"{alias(faults)}/locked")
    dialog.get("connect").click()
    dialog.expect_fault("server-token", "refused")
    expect(dialog.get("token")).to_have_value("")
    assert {seen.headers.get("Authorization") for seen in faults.seen} == {None}
    dialog.get("token").fill("of the other")
    dialog.get("address").press("End")
    dialog.get("address").press_sequentially("/v1")
    dialog.get("connect").click()
    dialog.expect_fault("server-token", "refused")
    assert faults.asked("GET")[-1].headers["Authorization"] == "Bearer of the other"


KEPT = """() => new Promise((resolve) => {
  indexedDB.open("webkiln").onsuccess = ({ target: { result } }) => {
    const names = [...result.objectStoreNames];
    const stores = result.transaction(names);
    Promise.all(names.map((name) => new Promise((found) => {
      stores.objectStore(name).getAll().onsuccess = ({ target }) => found(target.result);
    }))).then((all) => resolve(JSON.stringify(all)));
  };
})"""


def test_the_conversation_remembers_its_server_but_no_token(
    guest: ChatPage, faults: FaultServer
) -> None:
    dialog = on_server(guest, faults.base("locked"), TOKEN)
    guest.ask(QUESTION)
    expect(guest.get("log")).to_have_attribute("data-saved", "true")
    kept: str = guest.page.evaluate(KEPT)
    assert faults.base("locked") in kept
    assert TOKEN not in kept
    guest.page.reload()
    expect(dialog.get("sign")).to_contain_text(faults.origin)
    guest.send("And a kiln?")
    guest.expect_notice("server-token", "Invalid API Key")
    guest.get("server-change").click()
    dialog.choose(faults.base("locked"), TOKEN)
    assert guest.ask("Once more.") == "".join(ANSWER)
    guest.get("new-chat").click()
    expect(dialog.get("sign")).to_be_hidden()
    guest.page.go_back()
    expect(dialog.get("sign")).to_contain_text(faults.origin)
    guest.get("history").click()
    row = guest.get("conversation").filter(has_text=QUESTION)
    expect(row).to_contain_text("faulty on a server")
    guest.get("history-close").click()
    dialog.get("leave").click()
    expect(dialog.get("sign")).to_be_hidden()
    expect(guest.get("log")).to_have_attribute("data-saved", "true")
    assert faults.origin not in guest.page.evaluate(KEPT)
    guest.page.reload()
    expect(guest.get("message-user")).to_have_count(3)
    expect(dialog.get("sign")).to_be_hidden()
    held = "This conversation was held with faulty on a server."
    expect(guest.get("note-model")).to_have_text(held)
    guest.start()
    guest.ask("Now from here.")
    expect(guest.get("note-model")).to_have_count(0)


@pytest.mark.parametrize(
    ("fault", "code", "text"),
    [
        ("cut", "server-broke-off", "ended it before it was whole"),
        ("reset", "server-broke-off", "Ask again"),
        ("silent", "server-broke-off", "Ask again"),
        ("amid", "server-refused", "the model fell over"),
        ("page", "server-strange", "OpenAI-compatible"),
        ("garbage", "server-strange", "something else"),
        ("missing", "server-missing", "model 'faulty' not found"),
        ("fault", "server-refused", "500: out of memory"),
        ("elsewhere", "server-unreachable", "CORS"),
    ],
)
def test_faults_in_an_answer(
    guest: ChatPage, faults: FaultServer, fault: str, code: str, text: str
) -> None:
    on_server(guest, faults.base(fault))
    guest.send(QUESTION)
    guest.expect_notice(code, text)
    expect(guest.get("send")).to_be_visible()
    # A redirection is not followed: what was to be sent here is sent nowhere else.
    assert {seen.path for seen in faults.asked("POST")} == {f"/{fault}/v1/chat/completions"}
    guest.get("server-change").click()
    ServerDialog(guest).choose(faults.base("answer"))
    assert guest.ask("Once more.") == "".join(ANSWER)


def test_faults_before_there_is_an_answer(guest: ChatPage, faults: FaultServer) -> None:
    guest.climb()
    dialog = ServerDialog(guest)
    dialog.get("start").click()
    dialog.connect("no address")
    dialog.get("address").fill("")
    dialog.connect("http://127.0.0.1:65000")
    dialog.expect_fault("server-not-allowed", "--allow-server", faults.origin)
    dialog.connect(f"{faults.origin}/?key=secret")
    dialog.expect_fault("server-address", "http://localhost:11434")
    assert faults.seen == []
    dialog.connect(faults.base("locked"), "wrong")
    dialog.expect_fault("server-token", "Invalid API Key")
    dialog.connect(faults.base("listless"))
    dialog.expect_fault("server-strange")
    # Nothing there, and something that does not admit this site: a page cannot tell which.
    for address in (faults.base("closed"), "http://127.0.0.1:1"):
        dialog.connect(address)
        dialog.expect_fault("server-unreachable", "does not admit this site", guest.address)
    expect(dialog.get("use")).to_be_hidden()


def test_stop_hangs_up(guest: ChatPage, faults: FaultServer) -> None:
    on_server(guest, faults.base("endless"))
    guest.page.evaluate(WATCH_ANSWERS)
    guest.send(QUESTION)
    guest.started()
    guest.get("stop").click()
    assert guest.answered().startswith("and and")
    expect(guest.get("finish-note")).to_have_text("You stopped this answer.")
    assert faults.hung_up.wait(30)
    guest.assert_no_problems()


@pytest.mark.parametrize("fault", ["overflow", "wordless"])
def test_a_full_context_is_the_servers_to_tell(
    guest: ChatPage, faults: FaultServer, fault: str
) -> None:
    on_server(guest, faults.base(fault))
    assert guest.ask(QUESTION) == "".join(ANSWER)
    guest.send("And a kiln?")
    guest.get("drop-oldest").click()
    assert guest.answered() == "".join(ANSWER)
    assert faults.asked("POST")[-1].body["messages"] == [{"role": "user", "content": "And a kiln?"}]


def test_no_server_without_the_owners_leave(climber: ChatPage) -> None:
    climber.climb()
    expect(climber.get("load")).to_be_enabled()
    expect(climber.get("server-start")).to_be_hidden()
    climber.start()
    climber.get("rung").click()
    expect(climber.get("device-dialog")).to_be_visible()
    expect(climber.get("server-offer-device")).to_be_hidden()
