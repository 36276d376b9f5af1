"""What the page makes of a model's answers: safe, coloured, copied, drawn block by block."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_page import ChatPage, visit
from tests.browser.scripted import say

# Each sets `window.ran`, asks another server, or changes the page, if anything of it is heeded.
HOSTILE = {
    "script": "<script>ran = 1</script>\n\n<script src=//other.test/a.js></script>",
    "split script": "<scr<script>ipt>ran = 1</scr</script>ipt>",
    "image": "<img src=x onerror=ran=1> <img src=//other.test/a.png> <image href=//other.test/>",
    "markdown image": '![a](http://other.test/a.png) ![b][c]\n\n[c]: http://other.test/b.png "x"',
    "svg": "<svg onload=ran=1><script>ran=1</script><use href=//other.test/#a /></svg>",
    "svg animation": "<svg><animate onbegin=ran=1 attributeName=x dur=1s></svg>",
    "mathml": "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 "
    "onerror=ran=1&gt;'>",
    "mutation": '<noscript><p title="</noscript><img src=x onerror=ran=1>">',
    "template": "<template><img src=x onerror=ran=1></template>",
    "iframe": "<iframe src=//other.test/></iframe><iframe srcdoc='<script>parent.ran=1</script>'>",
    "object": "<object data=//other.test/></object><embed src=//other.test/><applet code=a>",
    "style": "<style>body { display: none } @import '//other.test/a.css';</style>",
    "style attribute": "<p style='background: url(//other.test/a.png); position: fixed'>x</p>",
    "link": "<link rel=stylesheet href=//other.test/a.css><link rel=prefetch href=//other.test/>",
    "meta": "<meta http-equiv=refresh content='0;url=//other.test/'><base href=//other.test/>",
    "form": "<form action=//other.test/><input autofocus onfocus=ran=1><button>Go</button></form>",
    "media": "<video src=//other.test/a.mp4 autoplay></video><audio src=x onerror=ran=1>",
    "details": "<details open ontoggle=ran=1><summary>x</summary></details>",
    "handlers": "<a href=# onclick=ran=1 onmouseover=ran=1>x</a><body onload=ran=1>",
    "javascript links": "[a](javascript:ran=1) [b](JaVaScRiPt:ran=1) [c](java&#10;script:ran=1) "
    "[d](javascript&colon;ran=1) <javascript:ran=1> [e](\x01javascript:ran=1)",
    "other schemes": "[a](data:text/html,<script>ran=1</script>) [b](vbscript:x) [c](file:///etc) "
    "[d](blob:http://other.test/1) [e](//other.test/)",
    "quotes in links": '[a](http://other.test/"onmouseover="ran=1) [b](http://other.test/ "x\\"y")',
    "language of code": '```"><img src=x onerror=ran=1>\ncode\n```\n\n'
    "```js onload=ran=1\nlet a\n```",
    "code that looks like HTML": "```html\n<img src=x onerror=ran=1><script>ran = 1</script>\n```",
    "table": "| a | b |\n|---|---|\n| <img src=x onerror=ran=1> | <script>ran=1</script> |",
    "clobbering": "<p id=log name=body>x</p><form id=start><input name=attributes></form>",
    "comment": "<!--><img src=x onerror=ran=1>--> <![CDATA[<img src=x onerror=ran=1>]]>",
    "unclosed": "<img src=x onerror=ran=1",
    "entities": "&lt;img src=x onerror=ran=1&gt; &#60;script&#62;ran=1&#60;/script&#62;",
    "quotes in quotes": ">" * 5000,
    "lists in lists": "* " * 1200 + "x",
    "numbers in numbers": "1. " * 1200 + "x",
}
ELEMENTS = (
    "a b blockquote br button code del div em h1 h2 h3 h4 h5 h6 hr i li ol p pre s span strong sub "
    "sup table tbody td th thead tr ul"
)
# Element and attribute names in the answers, and where links lead and how.
CONTENT = """() => [...document.querySelectorAll(".answer-body *")].map((node) => ({
  name: node.localName,
  attributes: Object.fromEntries([...node.attributes].map(({ name, value }) => [name, value])),
}))"""
ATTRIBUTES = {
    "a": {"href", "title", "target", "rel"},
    "button": {"class", "type", "aria-label", "title", "data-icon", "data-testid", "hidden"},
    "code": {"class"},
    "div": {"class", "tabindex", "role", "aria-label"},
    "ol": {"start"},
    "pre": {"tabindex"},
    "span": {"class"},
    "td": {"align"},
    "th": {"align"},
}


@pytest.fixture
def reader(chromium: Browser, mini_site: str) -> Iterator[ChatPage]:
    """Somebody whose model says what the test tells it to."""
    with visit(chromium, mini_site) as chat:
        yield chat
        chat.assert_clean()


def test_nothing_that_a_model_writes_runs_or_loads(reader: ChatPage) -> None:
    """Neither while it arrives, in pieces, nor when it is whole."""
    say(reader, *HOSTILE.values())
    reader.climb()
    reader.start()
    reader.settle()
    reader.requests.clear()
    for name in HOSTILE:
        reader.ask(name)
        for node in reader.page.evaluate(CONTENT):
            assert node["name"] in ELEMENTS.split(), name
            assert set(node["attributes"]) <= ATTRIBUTES.get(node["name"], set()), name
            if node["name"] == "a" and "href" in node["attributes"]:
                assert node["attributes"]["rel"] == "noopener noreferrer", name
                assert node["attributes"]["href"].startswith(("http://", "https://")), name
        if name != "numbers in numbers":
            reader.get("new-chat").click()
    reader.ask("And then?")  # the conversation goes on
    assert reader.page.evaluate("window.ran") is None
    assert [url for url in reader.requests if "/assets/" not in url] == []
    expect(reader.page.locator("#log")).to_have_count(1)


CODE = """Here it is:

```python
def kiln(degrees: int) -> str:
    return f"{degrees} °C"  # hot
```

and plain:

```
no colours <b>here</b>
```

```nolanguage
nor here
```
"""


def test_code_is_coloured_and_copied(reader: ChatPage) -> None:
    reader.context.grant_permissions(["clipboard-read", "clipboard-write"])
    say(reader, CODE)
    reader.climb()
    reader.start()
    assert [url for url in reader.requests if "highlight" in url] == []  # not before it is needed
    reader.ask("Code, please")
    answer = reader.get("answer")
    expect(answer.locator(".hljs-keyword").first).to_have_text("def")
    expect(answer.locator("pre")).to_have_count(3)
    expect(answer.locator("pre").nth(1).locator("span")).to_have_count(0)
    reader.get("copy-code").first.click()
    copied = reader.page.evaluate("navigator.clipboard.readText()")
    assert copied == 'def kiln(degrees: int) -> str:\n    return f"{degrees} °C"  # hot\n'
    assert len([url for url in reader.requests if "highlight" in url]) == 1
    reader.page.reload()  # what was kept is coloured too
    expect(reader.get("answer").locator(".hljs-keyword").first).to_have_text("def")


def test_code_without_colours_is_readable(reader: ChatPage) -> None:
    say(reader, CODE)
    reader.page.route("**/highlight-*.js", lambda route: route.abort())
    reader.climb()
    reader.start()
    assert "def kiln" in reader.ask("Code, please")
    reader.problems.clear()  # the request that was refused


KEPT_NODES = """() => {
  const [first] = document.querySelectorAll(".answer-body > p");
  window.first ??= first;
  return first?.isConnected && first === window.first;
}"""


def test_blocks_that_are_whole_stay(reader: ChatPage) -> None:
    """What was selected, or is being read, is not taken away by what comes after."""
    text = "The first.\n\n" + "\n\n".join(f"Sentence {index} is a block." for index in range(200))
    say(reader, text, per_second=400)
    reader.climb()
    reader.start()
    reader.send("Go on")
    expect(reader.page.locator(".answer-body > p").nth(5)).to_be_visible()
    assert reader.page.evaluate(KEPT_NODES)
    reader.answered()
    assert reader.page.evaluate(KEPT_NODES)
    expect(reader.page.locator(".answer-body > p")).to_have_count(201)


def test_what_grew_equals_what_came_whole(reader: ChatPage) -> None:
    text = CODE + "\n1. a\n\n   b\n\n2. c\n\n[d][e] | f\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> q\n"
    say(reader, text + "\n[e]: https://example.org/\n", per_second=200)
    reader.climb()
    reader.start()
    reader.ask("Everything")
    expect(reader.get("answer").locator(".hljs-keyword").first).to_be_visible()
    grown = reader.page.locator(".answer-body").inner_html()
    reader.page.reload()
    expect(reader.get("answer").locator(".hljs-keyword").first).to_be_visible()
    assert reader.page.locator(".answer-body").inner_html() == grown
    expect(reader.get("answer").locator("a")).to_have_attribute("href", "https://example.org/")


def test_answers_are_announced_in_sentences(reader: ChatPage) -> None:
    """All of it, in order, and not faster than a screen reader takes it."""
    reader.context.add_init_script("""addEventListener("DOMContentLoaded", () => {
      window.said = [];
      const region = document.getElementById("announcer");
      new MutationObserver(() => said.push(region.textContent))
        .observe(region, { childList: true, characterData: true, subtree: true });
    });""")
    text = " ".join(f"This is sentence number {index}." for index in range(80))
    say(reader, text, per_second=300)
    reader.climb()
    reader.start()
    reader.ask("Go on")
    said = [each.strip() for each in reader.page.evaluate("said") if each.strip()]
    assert " ".join(said) == f"{text}\nThe answer is complete."
    assert 1 < len(said) < 20
    assert all(each.endswith(".") for each in said)
