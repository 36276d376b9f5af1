"""What `make budgets` adds up and judges."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from tests.bench.budgets import Budget, CountBytes, payload


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


def test_a_budget_holds_up_to_what_is_allowed() -> None:
    assert Budget("payload", 10, 10).holds
    assert not Budget("payload", 11, 10).holds
