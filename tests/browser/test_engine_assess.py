"""Verdicts on models before they are downloaded: on WebGPU, WebAssembly and made-up devices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.engine_page import EnginePage, ask
from tests.browser.shelf import SMALL_DEVICE, shelf
from tests.browser.site import Site, engine_files, serve

NAMES = ["fits", "larger", "tight", "raised", "embeds"]
ASSESS = """
  const { assess, suggestModel } = await import("/engine.js");
  const models = arg.models.map((name) => ({ model: `/models/${name}/` }));
  const found = await assess(models, arg.options);
  return { found, suggestion: suggestModel(found) };
"""
# The workers that were started, by address.
COUNT_WORKERS = """
  window.started = [];
  const Real = Worker;
  window.Worker = class extends Real {
    constructor(address, options) { super(address, options); window.started.push(`${address}`); }
  };
"""


@pytest.fixture
def shelf_page(chromium: Browser) -> Iterator[EnginePage]:
    context = chromium.new_context()
    context.add_init_script(SMALL_DEVICE + COUNT_WORKERS)
    with serve(Site({**engine_files(), **shelf()})) as site:
        page = EnginePage(context.new_page(), site)
        page.open()
        yield page
        context.close()


def assess(page: EnginePage, models: list[str], **options: Any) -> dict[str, dict[str, Any]]:
    result = page.value(ASSESS, {"models": models, "options": options})
    return dict(zip(models, result["found"], strict=True))


def codes(assessment: dict[str, Any]) -> list[str]:
    return [cause["code"] for cause in assessment["causes"]]


def test_a_verdict_for_every_model_from_manifests_alone(shelf_page: EnginePage) -> None:
    found = assess(shelf_page, [*NAMES, "absent"])
    verdicts = {name: (one["fit"], codes(one)) for name, one in found.items()}
    assert verdicts == {
        "fits": ("well", []),
        "larger": ("well", []),
        "tight": ("tight", ["scarce-memory"]),
        "raised": ("no", ["card-too-small"]),
        "embeds": ("well", []),
        "absent": ("unknown", ["unread"]),
    }
    limit = found["raised"]["causes"][0]
    assert (limit["limit"], limit["needed"]) == ("maxBufferSize", 1 << 50)
    assert limit["offered"] < 1 << 50
    fetched = {path for path in shelf_page.site.hits if path.startswith("/models/")}
    assert fetched == {f"/models/{name}/manifest.json" for name in found}


def test_what_there_is_to_know_of_a_model(shelf_page: EnginePage) -> None:
    found = assess(shelf_page, ["fits", "embeds"])
    fits = found["fits"]
    assert fits["variant"].startswith("wasm")  # the card is emulated, and passed over
    assert fits["about"]["card"]["datasets"] == ["someone/texts"]
    assert fits["about"]["codings"] == [{"share": 1, "bits": 32, "group": 0, "minimum": False}]
    stored = fits["stored"]
    assert stored["missing"] == stored["total"] > 0
    assert fits["memory"] > 0
    assert fits["speed"]["measured"] is False
    assert fits["speed"]["tokensPerSecond"] > 1000  # 16 bytes a token
    assert found["embeds"]["speed"] is None
    assert found["embeds"]["about"]["embedding"]["dimensions"] == 4


def test_the_pace_is_measured_once_and_only_if_it_may(shelf_page: EnginePage) -> None:
    page = shelf_page
    assert assess(page, ["fits"], measure=False)["fits"]["speed"] is None
    assert page.page.evaluate("started.length") == 0
    first = assess(page, NAMES)["fits"]["speed"]
    started = page.page.evaluate("started")
    assert len(started) == page.page.evaluate("navigator.hardwareConcurrency")  # a thread each
    assert {address.rsplit("/", 1)[1] for address in started} == {"pace.js"}
    assert assess(page, ["fits", "larger"], measure=False)["fits"]["speed"] == first
    page.page.reload()
    assert assess(page, ["fits"])["fits"]["speed"] == first
    assert page.page.evaluate("started") == []


def test_after_an_answer_its_speed_counts(shelf_page: EnginePage) -> None:
    page = shelf_page
    page.value("""
      const { createEngine } = await import("/engine.js");
      window.engine = await createEngine({ model: "/models/fits/" });
    """)
    page.value("await engine.chat.completions.create(arg)", ask("ab", 40))
    found = assess(page, ["fits", "larger"], measure=False)
    assert found["fits"]["speed"]["measured"] is True
    assert found["fits"]["speed"]["tokensPerSecond"] > 0
    assert found["fits"]["stored"]["missing"] == 0
    assert found["larger"]["speed"] is None  # of each model its own


def test_a_graphics_adapter_is_measured_too(chromium: Browser) -> None:
    """SwiftShader: emulated, which is said; its pace is a card's."""
    context = chromium.new_context()
    files = {path: data for path, data in shelf().items() if path.startswith("/models/raised/")}
    manifest = files["/models/raised/manifest.json"]
    files["/models/raised/manifest.json"] = manifest.replace(str(1 << 50).encode(), b"1000")
    with serve(Site({**engine_files(), **files})) as site:
        page = EnginePage(context.new_page(), site)
        page.open()
        found = assess(page, ["raised"])["raised"]
        context.close()
    assert (found["variant"], found["fit"], codes(found)) == ("f32", "tight", ["emulated"])
    assert found["speed"]["tokensPerSecond"] > 0


def test_suggestion(shelf_page: EnginePage) -> None:
    result = shelf_page.value(ASSESS, {"models": NAMES, "options": {"measure": False}})
    assert result["suggestion"] == {"model": "/models/larger/", "reason": "largest"}


def test_memory_that_ended_is_remembered(chromium: Browser) -> None:
    """What test_engine_recovery.py sees written down speaks against the model afterwards."""
    context = chromium.new_context()
    with serve(Site({**engine_files(), **shelf()})) as site:
        page = EnginePage(context.new_page(), site)
        page.open()
        before = assess(page, ["fits"], measure=False)["fits"]
        assert before["fit"] == "well"
        page.page.evaluate(
            """([model, variant, browser]) => localStorage.setItem(
              "webkiln.out-of-memory",
              JSON.stringify([{ model, variant, context: 512, at: Date.now(), browser }]),
            )""",
            [
                f"{site.address}/models/fits/manifest.json",
                before["variant"],
                page.page.evaluate("navigator.userAgent"),
            ],
        )
        after = assess(page, ["fits"], measure=False)["fits"]
        assert (after["fit"], after["causes"]) == ("tight", [{"code": "ran-out", "context": 512}])
        context.close()
