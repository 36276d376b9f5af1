"""llama.cpp's own server, in a process of its own: `python -m tests.support.llama_server MODEL`.

Says its address on the first line of its output, and ends when its input does.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import xllamacpp  # type: ignore[import-untyped]

CONTEXT = 512  # tokens


def main(model: str, token: str) -> None:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.model_alias = {"smollm2"}
    parameters.n_ctx = CONTEXT
    parameters.n_parallel = 1
    parameters.n_gpu_layers = 0
    parameters.cpuparams.n_threads = 2
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [token]
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    sys.stdin.read()


@contextmanager
def llama_server(model: Path, token: str) -> Iterator[str]:
    """Serves `model` to whoever has `token`; yields the address."""
    command = [sys.executable, "-m", "tests.support.llama_server", str(model), token]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
