"""Who is measured: Webkiln, its peers in the same browser, and llama.cpp outside it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from tests.bench import models
from tests.bench.report import BASE
from tests.bench.server import PAGES

Options = Mapping[str, str | int]


@dataclass(frozen=True)
class Contender:
    """One engine with one format of the model."""

    name: str  # for --only
    label: str  # for people, with the version
    script: str | None  # peers/<script>.js; None runs outside the browser
    model: str  # what the script opens: an address, or a name under /bench/models/
    file: str | None = None  # what is needed under build/peers
    least: int = 1  # threads it can run on
    most: int | None = None
    options: Options = field(default_factory=dict)

    def counts(self, asked: Iterable[int]) -> list[int]:
        """Of the numbers of threads asked for, those it can run on."""
        return [n for n in asked if self.least <= n and (self.most is None or n <= self.most)]


def contenders(bundle: str, variants: Iterable[str]) -> list[Contender]:
    """The default set, and single `variants` of Webkiln when they are asked for."""
    site, commit = f"/models/{bundle}/", _commit()
    options = {"backend": "wasm"}
    found = [Contender(BASE, f"Webkiln {commit}", "webkiln", site, options=options)]
    found += [_variant(site, commit, name) for name in variants]
    return [*found, *_wllama(), _transformers("transformers", "wasm"), _native()]


def webgpu_contenders(bundle: str, variants: Iterable[str]) -> list[Contender]:
    """Those that run on WebGPU, here on SwiftShader; Webkiln with the best variant it has there."""
    site, commit = f"/models/{bundle}/", _commit()
    label, options = f"Webkiln {commit}, WebGPU", {"backend": "webgpu"}
    found = [Contender(BASE, label, "webkiln", site, most=1, options=options)]
    found += [_variant(site, commit, name) for name in variants]
    return [*found, _transformers("transformers-webgpu", "webgpu", most=1)]


def on_webgpu(variant: str) -> bool:
    return not variant.startswith("wasm")


def _variant(site: str, commit: str, name: str) -> Contender:
    threaded = "threads" in name
    return Contender(
        name,
        f"Webkiln {commit}, {name}" + (" on SwiftShader" if on_webgpu(name) else ""),
        "webkiln",
        site,
        least=2 if threaded else 1,
        most=None if threaded else 1,
        options={"variant": name},
    )


def _wllama() -> list[Contender]:
    label = f"wllama {_package('@wllama/wllama')}"
    return [
        Contender(
            f"wllama-{kind}",
            f"{label}, {kind.upper()}",
            "wllama",
            f"/bench/models/smollm2-{kind}.gguf",
            f"smollm2-{kind}.gguf",
        )
        for kind in ("q4_1", "q4_0", "q8_0")
    ]


def _transformers(name: str, backend: str, most: int | None = None) -> Contender:
    label = f"Transformers.js {_package('@huggingface/transformers')}, int4"
    if backend == "webgpu":
        label += ", WebGPU"
    options = {"backend": backend}
    model = models.ONNX
    return Contender(name, label, "transformers", model, model, most=most, options=options)


def _native() -> Contender:
    label = f"llama.cpp native (xllamacpp {version('xllamacpp')}), Q4_1"
    file = "smollm2-q4_1.gguf"
    return Contender("native", label, None, str(models.PEERS / file), file)


def _package(name: str) -> str:
    manifest = Path(PAGES, "node_modules", name, "package.json")
    installed: str = json.loads(manifest.read_text())["version"]
    return installed


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "(no commit)"
