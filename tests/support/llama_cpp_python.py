"""llama-cpp-python's server, in a process of its own."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CONTEXT = 512  # tokens


@contextmanager
def llama_cpp_python(model: Path, token: str) -> Iterator[str]:
    """Serves `model` to whoever has `token`; yields the address. Skips without the package."""
    if importlib.util.find_spec("llama_cpp") is None:
        pytest.skip("needs the extra soak: `make soak` installs it (it compiles llama.cpp)")
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    options = {
        "model": model,
        "model_alias": "smollm2",
        "host": "127.0.0.1",
        "port": port,
        "api_key": token,
        "n_ctx": CONTEXT,
        "n_threads": 2,
    }
    command = [sys.executable, "-m", "llama_cpp.server"]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(address, process)
            yield address
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Until it answers at all; that it wants a token is an answer."""
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/v1/models").close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"llama_cpp.server ended with {process.returncode}")
