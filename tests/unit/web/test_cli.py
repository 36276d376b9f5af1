from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from web import cli, server
from web.options import is_loopback


class Served:
    """Stands in for uvicorn's server: records the sockets it was given."""

    sockets: list[socket.socket]

    def __init__(self, config: object) -> None:
        pass

    def run(self, sockets: list[socket.socket]) -> None:
        Served.sockets = sockets
        for each in sockets:
            each.close()


def _serve(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["serve", *arguments])


@pytest.fixture
def built(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "find_page", lambda: page)
    monkeypatch.setattr(server, "find_page", lambda: page)
    monkeypatch.setattr(cli, "BoundedServer", Served)


@pytest.mark.usefixtures("built")
def test_the_address_to_open_is_printed(models: Path) -> None:
    result = _serve("--models", str(models), "--port", "0")
    assert result.exit_code == 0
    assert re.fullmatch(r"open http://127\.0\.0\.1:[1-9]\d*/\n", result.stdout)
    assert "warning" not in result.stderr


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_without_bundles_nothing_is_served(tmp_path: Path, folder: str) -> None:
    result = _serve("--models", str(tmp_path / folder))
    assert result.exit_code == 1
    assert result.stderr.startswith("llm-site: ")
    assert result.stderr.count("\n") == 1


def test_a_page_that_is_not_built_is_named(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.built.__file__", str(tmp_path / "web" / "built.py"))
    result = _serve("--models", str(models))
    assert result.exit_code == 1
    assert "make build" in result.stderr


@pytest.mark.usefixtures("built")
def test_a_port_in_use_is_named(models: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = _serve("--models", str(models), "--port", port)
    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in result.stderr


@pytest.mark.usefixtures("built")
def test_listening_to_other_machines_warns(models: Path) -> None:
    result = _serve("--models", str(models), "--port", "0", "--host", "0.0.0.0")
    assert result.exit_code == 0
    assert "warning" in result.stderr
    assert "https" in result.stderr


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("example.org", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def _comparison(error: float) -> Any:
    from web.verify import Comparison

    return Comparison("Hello", [1, 2], [1, 2], error, (7, 3), (1.0, 1.0 + error))


@pytest.mark.parametrize(("error", "code"), [(1e-6, 0), (0.5, 1)])
def test_verify_exits_with_its_verdict(
    monkeypatch: pytest.MonkeyPatch, error: float, code: int
) -> None:
    calls: list[object] = []

    def compare(*arguments: object, variants: object, revision: str | None) -> list[Any]:
        calls.append((*arguments, variants))
        return [("f32", _comparison(1e-7)), ("wasm", _comparison(error))]

    monkeypatch.setattr("web.verify.verify", compare)
    result = CliRunner().invoke(cli.app, ["verify", "models/tiny", "tiny.gguf", "--variant", "f32"])
    assert result.exit_code == code
    assert calls == [(Path("models/tiny"), "tiny.gguf", ["f32"])]
    assert "wasm: " in result.stderr
    assert "position 7, token 3" in " ".join(result.stderr.split())


def test_verify_names_the_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "web.verify", raising=False)
    monkeypatch.delitem(sys.modules, "web.browser", raising=False)
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    result = CliRunner().invoke(cli.app, ["verify", "models/tiny", "tiny.gguf"])
    assert result.exit_code == 1
    expected = "playwright.sync_api is not installed: pip install 'webkiln[verify,compile]'"
    assert result.stderr == f"llm-site: {expected}\n"


def test_verify_names_what_is_wrong_with_a_bundle(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.app, ["verify", str(tmp_path / "none"), "tiny.gguf"])
    assert result.exit_code != 0
    assert "Traceback" not in result.stderr
    assert str(tmp_path / "none") in result.stderr.replace("\n", "")


@contextmanager
def running(
    models: Path, page: Path, *options: str, prelude: str = ""
) -> Iterator[tuple[str, int]]:
    """A real `llm-site serve` on a free port; its address and process. `prelude` runs first."""
    code = f"import sys; from pathlib import Path; from web import cli, server; {prelude}"
    code += f"cli.find_page = server.find_page = lambda: Path({str(page)!r}); cli.main()"
    command = [sys.executable, "-c", code, "serve", "--models", str(models), "--port", "0"]
    process = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix("open ").strip(), process.pid
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_a_real_server_answers(models: Path, page: Path) -> None:
    with (
        running(models, page) as (address, _),
        urllib.request.urlopen(address + "models.json", timeout=10) as response,
    ):
        assert json.load(response)[0]["name"] == "tiny"
        assert "server" not in response.headers
