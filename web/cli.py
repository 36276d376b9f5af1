"""llm-site: serves and exports sites, and checks bundles against PyTorch."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from rich.console import Console
from rich.logging import RichHandler
from starlette.applications import Starlette

from compiler.errors import CompileError
from web.bounded import BoundedServer
from web.built import Built, find_page
from web.errors import SiteError
from web.export import export_site
from web.models import Models
from web.options import SiteOptions, is_loopback, site_options
from web.patience import PatientProtocol
from web.server import MODELS_VARIABLE, OPTIONS_VARIABLE, create_app
from web.site import Site

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console(stderr=True)

INSECURE = (
    "browsers give WebGPU, storage and hashing to secure pages only: over plain http that is this "
    "machine alone. Visitors on other machines need https in front of this server, for example a "
    "reverse proxy with a certificate."
)
ModelsFolder = Annotated[Path, typer.Option(help="Folder of bundles.")]
ModelsUrl = Annotated[
    str | None,
    typer.Option(help="Where visitors get the bundles from, if not from this site.", metavar="URL"),
]
Mirrors = Annotated[
    list[str] | None,
    typer.Option(
        "--mirror", help="A further folder of the same bundles; repeatable.", metavar="URL"
    ),
]
Servers = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-server",
        help="An OpenAI-compatible server that visitors may choose; repeatable.",
        metavar="ORIGIN",
    ),
]
Shared = Annotated[
    bool, typer.Option("--shared", help="Let pages of other origins use engine and models.")
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline/--no-offline",
        help="Visitors keep the page, by a service worker. Without, those who have one lose it.",
    ),
]

VERIFY_INSTALL = "pip install 'webkiln[verify,compile]'"


@app.callback()
def root() -> None:
    """Serve compiled models and the chat page that runs them."""


@app.command()
def serve(
    models: ModelsFolder = Path("models"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8000,
    models_url: ModelsUrl = None,
    mirrors: Mirrors = None,
    servers: Servers = None,
    shared: Shared = False,
    offline: Offline = True,
    reload: Annotated[
        bool,
        typer.Option(
            "--reload",
            help="Restart when Python code changes, with --no-offline. Changed templates, builds "
            "and bundles show at the next visit in any case.",
        ),
    ] = False,
) -> None:
    """Serve the page and the models in DIR."""
    with _translated():
        logging.basicConfig(level=logging.WARNING, handlers=[RichHandler(console=console)])
        options = site_options(
            models_url=models_url,
            mirrors=mirrors or (),
            servers=servers or (),
            shared=shared,
            offline=offline,
        )
        find_page()
        Models(models).require_any()
        listener = _listen(host, port)
        if not is_loopback(host):
            console.print(f"[bold red]warning:[/] {INSECURE}", highlight=False)
        print(f"open {_address(host, listener.getsockname()[1])}", flush=True)
        if reload:
            _serve_reloading(models, options, listener)
        else:
            application = create_app(models, options=options)
            BoundedServer(_config(application)).run(sockets=[listener])


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="New, empty, or an earlier export.")],
    models: ModelsFolder = Path("models"),
    base_path: Annotated[
        str, typer.Option(help="Where the site will lie on its host.", metavar="PATH")
    ] = "/",
    models_url: ModelsUrl = None,
    mirrors: Mirrors = None,
    servers: Servers = None,
    shared: Shared = False,
    offline: Offline = True,
) -> None:
    """Write the same site as a folder for any static host or CDN."""
    with _translated():
        options = site_options(
            base_path=base_path,
            models_url=models_url,
            mirrors=mirrors or (),
            servers=servers or (),
            shared=shared,
            offline=offline,
        )
        found = Models(models)
        found.require_any()
        done = export_site(Site(found, Built(find_page()), options), folder)
        kept = f", {done.kept} of them for pages that are open" if done.kept else ""
        console.print(
            f"{folder}: {done.files} files, {done.bytes / 1e6:,.1f} MB{kept}; "
            f"how to host it: {folder / 'hosting' / 'README.txt'}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="A folder made by compile-model.")],
    source: Annotated[str, typer.Argument(help="What it was compiled from.")],
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit of a hub id.", metavar="REVISION")
    ] = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be repeated.", metavar="NAME")
    ] = None,
) -> None:
    """Compare a bundle, in a headless browser, with PyTorch on the same weights."""
    with _translated():
        try:
            from web.similarity import Similarity
            from web.verify import Comparison, NotRun
            from web.verify import verify as compare
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in ("web", "compiler"):
                raise
            raise SiteError(f"{error.name} is not installed: {VERIFY_INSTALL}") from error
        results: list[Comparison | Similarity | NotRun] = []
        console.print("PyTorch and a headless browser take a while each ...")
        for name, result in compare(bundle, source, variants=variant or (), revision=revision):
            console.print(f"{name}: {result.describe()}", highlight=False, markup=False)
            results.append(result)
        raise typer.Exit(0 if all(result.passed for result in results) else 1)


def _config(application: Starlette | str) -> uvicorn.Config:
    """An application named by a string is a factory, and reloaded when it changes."""
    by_name = isinstance(application, str)
    return uvicorn.Config(
        application,
        factory=by_name,
        reload=by_name,
        reload_dirs=[str(Path(__file__).parent)] if by_name else None,
        http=PatientProtocol,
        log_level="warning",
        server_header=False,
        ws="none",
    )


def _serve_reloading(models: Path, options: SiteOptions, listener: socket.socket) -> None:
    """uvicorn's reloader starts a process of its own, which imports the application by name."""
    from uvicorn.supervisors import ChangeReload

    os.environ[MODELS_VARIABLE] = str(models.absolute())
    # Whoever edits the page wants to see it as it is, not as a service worker kept it.
    os.environ[OPTIONS_VARIABLE] = replace(options, offline=False).to_json()
    config = _config("web.server:app_from_environment")
    ChangeReload(config, BoundedServer(config).run, [listener]).run()


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket: the port is known, and known to be free, before anything is started."""
    try:
        return socket.create_server((host, port), family=_family(host))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SiteError(
            f"cannot listen on {host} port {port}: {reason}; choose another with --port or --host"
        ) from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextmanager
def _translated() -> Iterator[None]:
    """One line and an exit code for what a person can cause; a traceback for our faults."""
    try:
        yield
    except (SiteError, CompileError) as error:
        print(f"llm-site: {error}", file=sys.stderr)
        raise typer.Exit(error.exit_code) from None


def main() -> None:
    """Entry point of the command."""
    app(prog_name="llm-site")


if __name__ == "__main__":
    main()
