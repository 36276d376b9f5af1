"""The site: the chat page, the engine, and the bundles it runs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from web.built import Built, find_page
from web.compression import CompressText
from web.files import BundleFiles, PageFiles
from web.headers import REVALIDATE, SECURITY_HEADERS, SecurityHeaders
from web.models import Models

TEMPLATES = Path(__file__).with_name("templates")
MODELS_VARIABLE = "WEBKILN_MODELS"  # how `serve --reload` reaches the process that uvicorn starts

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(models: Path, page: Path | None = None) -> Starlette:
    """The application; `models` holds bundles, `page` the built scripts (found when None).

    ::

        uvicorn.run(create_app(Path("models")))
    """
    found = Models(models)
    built = Built(page or find_page())
    routes = [
        Route("/", _page(_templates(), built)),
        Route("/models.json", _model_list(found)),
        Route("/healthz", _health(found)),
        Mount("/models", BundleFiles(models)),
        Mount("/", PageFiles(built)),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(SecurityHeaders), Middleware(CompressText)],
        # Answered outside the middleware, so it carries the headers itself.
        exception_handlers={Exception: _fault},
    )


def app_from_environment() -> Starlette:
    """For uvicorn's reloader, which can pass no arguments."""
    return create_app(Path(os.environ[MODELS_VARIABLE]))


def _templates() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape())


def _page(templates: Environment, built: Built) -> Endpoint:
    async def page(request: Request) -> Response:
        html = templates.get_template("chat.html").render(assets=built.app().assets)
        return _revalidated(request, html.encode(), "text/html")

    return page


def _model_list(models: Models) -> Endpoint:
    async def model_list(request: Request) -> Response:
        listed = await run_in_threadpool(models.list)
        data = json.dumps([asdict(model) for model in listed]).encode()
        return _revalidated(request, data, "application/json")

    return model_list


def _health(models: Models) -> Endpoint:
    async def health(request: Request) -> Response:
        listed = await run_in_threadpool(models.list)
        return JSONResponse({"status": "ok", "models": len(listed)}, headers=_no_store())

    return health


def _revalidated(request: Request, data: bytes, media_type: str) -> Response:
    """`data`, or 304 when the browser has it already."""
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"Cache-Control": REVALIDATE, "ETag": etag}
    # Compression on the way may have marked the tag as weak.
    known = request.headers.get("if-none-match", "").split(",")
    if etag in (tag.strip().removeprefix("W/") for tag in known):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)


def _no_store() -> dict[str, str]:
    return {"Cache-Control": "no-store"}


async def _fault(request: Request, error: Exception) -> Response:
    return PlainTextResponse(
        "Internal Server Error", 500, headers={**SECURITY_HEADERS, **_no_store()}
    )
