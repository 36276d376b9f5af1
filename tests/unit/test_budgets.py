"""What `make budgets` adds up and judges."""

from __future__ import annotations

import gzip

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from tests.bench.budgets import Budget, CountBytes, payload, with_gzip
from web.compression import CompressText


def test_payload_leaves_out_what_the_model_itself_weighs() -> None:
    sent = {
        "/": 1_000,
        "/static/engine.js": 20_000,
        "/models/tiny/plans/f32.json": 300,
        "/models/tiny/kernels/f32.wgsl": 4,
        "/models/tiny/manifest.json": 5_000_000,
        "/models/tiny/weights/0.bin": 6_000_000,
        "/models/tiny/tokenizer/tokenizer.json": 7_000_000,
    }
    assert payload(sent) == 21_304


def test_bytes_are_counted_by_path_as_they_are_sent() -> None:
    async def whole(_: Request) -> PlainTextResponse:
        return PlainTextResponse("12345")

    async def parts(_: Request) -> StreamingResponse:
        return StreamingResponse(iter([b"123", b"4567"]))

    site = CountBytes(Starlette(routes=[Route("/whole", whole), Route("/parts", parts)]))
    client = TestClient(site)
    for path in ("/whole", "/parts", "/whole"):
        client.get(path)
    assert site.sent == {"/whole": 10, "/parts": 7}


def test_what_comes_later_is_refused() -> None:
    def tell(_: Request) -> PlainTextResponse:
        return PlainTextResponse("12345")

    site = CountBytes(Starlette(routes=[Route("/{path}", tell)]), ["/later-"])
    client = TestClient(site)
    assert client.get("/now.js").status_code == 200
    assert client.get("/later-1.js").status_code == 404
    assert site.sent == {"/now.js": 5}


def test_gzip_is_measured_as_it_would_be_sent() -> None:
    def tell(_: Request) -> PlainTextResponse:
        return PlainTextResponse("12345" * 1000)

    app = CompressText(Starlette(routes=[Route("/page.js", tell)]))
    [(path, size)] = with_gzip(app, ["/page.js"]).items()
    assert path == "/page.js"
    assert size == len(gzip.compress(b"12345" * 1000, 9))


def test_a_budget_holds_up_to_what_is_allowed() -> None:
    assert Budget("payload", 10, 10).holds
    assert not Budget("payload", 11, 10).holds
