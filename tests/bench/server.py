"""One isolated origin for Webkiln and its peers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from tests.bench.models import PEERS
from web.headers import security_headers
from web.options import SiteOptions
from web.server import create_app
from web.verify import running

PAGES = Path(__file__).with_name("peers")
# Without them no engine has threads. The policy of Webkiln's own site would stop wllama's workers.
HEADERS = security_headers(SiteOptions())
ISOLATION = {name: value for name, value in HEADERS.items() if name.startswith("Cross-")}


class IsolatedFiles(StaticFiles):
    """Files with the headers that make a page cross-origin isolated."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_isolated(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(ISOLATION)
            await send(message)

        await super().__call__(scope, receive, send_isolated)


def bench_app(models: Path) -> Starlette:
    """`/bench/` holds the peers, their packages and their models; all else is Webkiln's site."""
    return Starlette(
        routes=[
            Mount("/bench/models", IsolatedFiles(directory=PEERS, follow_symlink=True)),
            Mount("/bench", IsolatedFiles(directory=PAGES)),
            Mount("/", create_app(models)),
        ]
    )


def serving(models: Path) -> AbstractContextManager[str]:
    """Serves on a free port of this machine; gives the address."""
    return running(bench_app(models))
