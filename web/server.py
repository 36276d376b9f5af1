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

from web.built import LIST, Built, find_page
from web.compression import CompressText
from web.files import REMOVER, SERVICE_WORKER, BundleFiles, PageFiles
from web.headers import REVALIDATE, SECURITY_HEADERS, SecurityHeaders
from web.listing import INDEX, MODELS, list_site
from web.models import Models

TEMPLATES = Path(__file__).with_name("templates")
MODELS_VARIABLE = "WEBKILN_MODELS"  # how `serve --reload` reaches the process that uvicorn starts

Endpoint = Callable[[Request], Awaitable[Response]]
Content = Callable[[], bytes]


def create_app(models: Path, page: Path | None = None, *, offline: bool = True) -> Starlette:
    """The application; `models` holds bundles, `page` the built scripts (found when None).
    Without `offline` visitors lose the service worker they may have (docs/offline.md).

    ::

        uvicorn.run(create_app(Path("models")))
    """
    found = Models(models)
    built = Built(page or find_page())
    html = _page(_templates(), built)
    listed = _model_list(found)
    whole = _site_list(built, html, listed, offline=offline)
    routes = [
        Route("/", _served(html, "text/html")),
        Route(f"/{MODELS}", _served(listed, "application/json")),
        Route(f"/{LIST}", _served(whole, "application/json")),
        Route("/healthz", _health(found)),
        Mount("/models", BundleFiles(models)),
        Mount("/", PageFiles(built, offline=offline)),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(SecurityHeaders), Middleware(CompressText)],
        # Answered outside the middleware, so it carries the headers itself.
        exception_handlers={Exception: _fault},
    )


def app_from_environment() -> Starlette:
    """For uvicorn's reloader, which can pass no arguments. Whoever edits the page wants to see it
    as it is, not as a service worker kept it."""
    return create_app(Path(os.environ[MODELS_VARIABLE]), offline=False)


def _templates() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape())


def _page(templates: Environment, built: Built) -> Content:
    def page() -> bytes:
        app = built.app()
        html = templates.get_template("chat.html").render(assets=app.assets, preload=app.preload)
        return html.encode()

    return page


def _model_list(models: Models) -> Content:
    return lambda: json.dumps([asdict(model) for model in models.list()]).encode()


def _site_list(built: Built, page: Content, models: Content, *, offline: bool) -> Content:
    def site_list() -> bytes:
        built.app()
        more = {INDEX: page(), MODELS: models()}
        if not offline:
            more[SERVICE_WORKER] = (built.folder / REMOVER).read_bytes()
        return list_site((built.folder / LIST).read_bytes(), more)

    return site_list


def _served(content: Content, media_type: str) -> Endpoint:
    async def served(request: Request) -> Response:
        return _revalidated(request, await run_in_threadpool(content), media_type)

    return served


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
