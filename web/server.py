"""The site as a server: the chat page, the engine, and the bundles it runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from web.built import LIST, Built, find_page
from web.compression import CompressText
from web.files import BundleFiles, PageFiles
from web.headers import REVALIDATE, SecurityHeaders, security_headers
from web.listing import INDEX, MODELS
from web.models import Models
from web.options import SiteOptions
from web.site import ENGINE, HEADERS, Site

# How `serve --reload` reaches the process that uvicorn starts.
MODELS_VARIABLE = "WEBKILN_MODELS"
OPTIONS_VARIABLE = "WEBKILN_SITE_OPTIONS"

A_DAY = 24 * 3600  # seconds

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(
    models: Path, page: Path | None = None, options: SiteOptions | None = None
) -> Starlette:
    """The application; `models` holds bundles, `page` the built scripts (found when None).

    ::

        uvicorn.run(create_app(Path("models")))
    """
    options = options or SiteOptions()
    site = Site(Models(models), Built(page or find_page()), options)
    headers = security_headers(options)
    return Starlette(
        routes=_routes(site),
        middleware=[
            Middleware(SecurityHeaders, headers),
            *_preflight(options),
            Middleware(CompressText),
        ],
        # Answered outside the middleware, so it carries the headers itself.
        exception_handlers={Exception: _fault(headers)},
    )


def app_from_environment() -> Starlette:
    """For uvicorn's reloader, which can pass no arguments."""
    options = SiteOptions.from_json(os.environ[OPTIONS_VARIABLE])
    return create_app(Path(os.environ[MODELS_VARIABLE]), options=options)


def _routes(site: Site) -> list[BaseRoute]:
    routes: list[BaseRoute] = [
        Route("/", _document(site.page, "text/html")),
        Route(f"/{INDEX}", _document(site.page, "text/html")),
        Route(f"/{MODELS}", _document(site.model_list, "application/json")),
        Route(f"/{HEADERS}", _document(site.header_list, "application/json")),
        Route(f"/{ENGINE}", _document(site.engine, "text/javascript")),
        Route(f"/{LIST}", _document(site.app_list, "application/json")),
        Route("/healthz", _health(site.models)),
    ]
    if site.options.models_url is None:
        routes.append(Mount("/models", BundleFiles(site.models.folder)))
    return [*routes, Mount("/", PageFiles(site.built, offline=site.options.offline))]


def _preflight(options: SiteOptions) -> list[Middleware]:
    """Answers browsers that ask before they send a request for part of a file."""
    if not options.shared:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=["*"],
            allow_methods=["GET", "HEAD"],
            allow_headers=["Range", "If-Range"],
            max_age=A_DAY,
        )
    ]


def _document(make: Callable[[], bytes], media_type: str) -> Endpoint:
    async def document(request: Request) -> Response:
        return _revalidated(request, await run_in_threadpool(make), media_type)

    return document


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


def _fault(headers: dict[str, str]) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def fault(request: Request, error: Exception) -> Response:
        return PlainTextResponse("Internal Server Error", 500, headers={**headers, **_no_store()})

    return fault
