"""Hosts of static files, as people have them: Python's own server, and nginx."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from web.built import Built, find_page
from web.export import export_site
from web.models import Models
from web.options import SiteOptions
from web.site import Site

BASE_PATH = "/some/where/"
# Not in the path of everybody on Debian.
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {work}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
  access_log off;
  client_body_temp_path {work}/body;
  proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/fastcgi;
  scgi_temp_path {work}/scgi;
  uwsgi_temp_path {work}/uwsgi;
  server {{
    listen 127.0.0.1:{port};
    root {root};
{includes}
  }}
}}
"""


def export(models: Path, root: Path, options: SiteOptions | None = None) -> Path:
    """The site of these bundles below a host's root; its folder."""
    options = options or SiteOptions(base_path=BASE_PATH)
    folder = root / options.base_path.strip("/")
    export_site(Site(Models(models), Built(find_page()), options), folder)
    return folder


@contextmanager
def python_server(root: Path) -> Iterator[str]:
    """`python -m http.server`; yields its address."""
    port = _free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with _running([*command, "--directory", str(root)], port) as address:
        yield address


@contextmanager
def nginx(root: Path, *sites: Path) -> Iterator[str]:
    """nginx with the configurations that came with the sites; yields its address."""
    if NGINX is None:
        pytest.fail("there is no nginx: `make browser` installs it on Debian")
    port = _free_port()
    with tempfile.TemporaryDirectory() as work:
        file = Path(work, "nginx.conf")
        # Started by root, it would become somebody who may not read what tests write.
        user = "user root;" if os.geteuid() == 0 else ""
        includes = "\n".join(f"    include {site}/hosting/nginx.conf;" for site in sites)
        values = {"work": work, "port": port, "root": root, "includes": includes, "user": user}
        file.write_text(CONFIGURATION.format(**values))
        with _running([NGINX, "-e", "stderr", "-p", work, "-c", str(file)], port) as address:
            yield address


@contextmanager
def llm_site(release: Path, *options: str) -> Iterator[str]:
    """`llm-site serve` as the sources in the folder `release` have it; yields its address."""
    port = _free_port()
    command = [sys.executable, "-m", "web.cli", "serve", "--port", str(port), *options]
    with _running(command, port, release) as address:
        yield address


@contextmanager
def _running(command: list[str], port: int, folder: Path | None = None) -> Iterator[str]:
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=folder, stdout=nowhere, stderr=nowhere)
    try:
        while not _answers(port):
            if process.poll() is not None:
                pytest.fail(f"ended with {process.returncode}: {' '.join(command)}")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("HEAD", "/")
        connection.getresponse()
    except OSError:
        return False
    finally:
        connection.close()
    return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
