"""llama.cpp outside the browser, in a process of its own: `python -m tests.bench.native < request`.

The request and the answer are JSON; `Request` and `Answer` below say what is in them.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, TypedDict

import xllamacpp  # type: ignore[import-untyped]


class Request(TypedDict):
    model: str  # path of a GGUF file
    threads: int
    context: int
    warming: list[int]
    measured: list[int]
    warm_decode: int
    decode: int


class Answer(TypedDict):
    load: float  # seconds, as the next two
    first: float  # to the first token
    rest: float  # for the `decode` that follow
    cores: float  # processor seconds per second of first + rest
    info: dict[str, Any]


def run(request: Request) -> Answer:
    start = time.perf_counter()
    server = _open(request)
    load = time.perf_counter() - start
    _generate(server, request["warming"], request["warm_decode"])
    processor = time.process_time()
    first, rest = _generate(server, request["measured"], request["decode"])
    cores = (time.process_time() - processor) / (first + rest)
    info = {"threads": request["threads"], "system": xllamacpp.get_system_info().strip()}
    return {"load": load, "first": first, "rest": rest, "cores": cores, "info": info}


def _open(request: Request) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = request["model"]
    parameters.n_ctx = request["context"]
    parameters.n_parallel = 1
    parameters.n_gpu_layers = 0
    parameters.cpuparams.n_threads = request["threads"]
    parameters.cpuparams_batch.n_threads = request["threads"]
    return xllamacpp.Server(parameters)


def _generate(server: Any, ids: list[int], count: int) -> tuple[float, float]:
    """Seconds to the first token after `ids`, and for `count` more."""
    start = time.perf_counter()
    times: list[float] = []
    last: dict[str, Any] = {}

    def on_chunk(chunk: dict[str, Any]) -> None:
        times.append(time.perf_counter())
        last.update(chunk)

    server.handle_completions(
        {
            "prompt": ids,
            "max_tokens": count + 1,
            "temperature": 0,
            "ignore_eos": True,
            "cache_prompt": False,
            "stream": True,
        },
        on_chunk,
    )
    usage = last["usage"]
    if (usage["prompt_tokens"], usage["completion_tokens"]) != (len(ids), count + 1):
        raise RuntimeError(f"asked for {len(ids)} + {count + 1} tokens, got {usage}")
    return times[0] - start, times[-1] - times[0]


if __name__ == "__main__":
    print(json.dumps(run(json.load(sys.stdin))))
