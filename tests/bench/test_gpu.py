"""`make bench-gpu`: bundles from shapes alone, and the whole program on an adapter in software."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig, LlamaForCausalLM

from compiler.bundle.schema import Manifest
from compiler.lower import targets
from tests.bench.gpu.shapes import ABSENT, compile_shape
from tests.bench.gpu.software import software_adapter
from tests.support.bundles import compile_bundle
from tests.unit.checkpoint import tiny

KIT = Path("build/bench-gpu/bench.mjs")
CONFIG: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("models") / "shapes"
    return folder, compile_shape("shapes", LlamaConfig(**CONFIG), folder)


@pytest.mark.soak
def test_shapes_are_compiled_as_weights_would_be(
    shapes: tuple[Path, Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    webgpu = tuple(one for one in targets.TARGETS if one.backend == "webgpu")
    monkeypatch.setattr(targets, "TARGETS", webgpu)
    checkpoint = tmp_path / "real"
    LlamaForCausalLM(LlamaConfig(**CONFIG)).save_pretrained(checkpoint)
    tiny.write_tokenizer(checkpoint)
    bundle = compile_bundle(checkpoint, tmp_path / "bundle", quantization="q4")
    real = json.loads((bundle.path / "manifest.json").read_text())
    made = json.loads((shapes[0] / "manifest.json").read_text())
    assert made["variants"] == real["variants"]  # files are named by their content
    for tensor in (*made["tensors"].values(), *real["tensors"].values()):
        tensor["shards"] = []
    assert made["tensors"] == real["tensors"]


def test_no_weights_are_written(shapes: tuple[Path, Manifest]) -> None:
    folder, manifest = shapes
    assert not any((folder / "weights").iterdir())
    assert manifest.files[ABSENT].bytes == sum(each.bytes for each in manifest.tensors.values())


@pytest.mark.soak
def test_the_program_measures_and_files(shapes: tuple[Path, Manifest], tmp_path: Path) -> None:
    adapter = software_adapter()
    if adapter is None:
        pytest.skip("needs the SwiftShader of a Chromium")
    lengths = ["--short", "8", "--long", "40", "--decode", "4", "--variant", "f32"]
    command = ["node", str(KIT), *lengths, "--output", str(tmp_path), str(shapes[0])]
    environment = {**os.environ, **adapter}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("*-gpu-swiftshader-*.json")
    report = json.loads(file.read_text())
    assert report["adapter"]["fallback"]
    assert report["bandwidth"]["bytes_per_s"] > 0
    (measured,) = report["variants"]
    assert measured["dispatches_per_layer"] == 5
    assert [point["prompt"] for point in measured["points"]] == [8, 40]
    for point in measured["points"]:
        assert point["decode_tokens_per_s"]["lowest"] > 0
        assert 0 < point["bandwidth_share"] < 1
    functions = [profile["function"] for profile in measured["profiles"]]
    assert functions == ["decode", "decode", "prefill_128"]
    decode = measured["profiles"][0]
    assert sum(kernel["count"] for kernel in decode["kernels"]) == measured["dispatches_per_token"]
    assert sum(kernel["share"] for kernel in decode["kernels"]) == pytest.approx(1)
    assert file.with_suffix(".md").read_text() in done.stdout


def test_without_an_adapter_it_says_what_to_do(shapes: tuple[Path, Manifest]) -> None:
    environment = {"PATH": os.environ["PATH"], "VK_ICD_FILENAMES": "/nowhere.json"}
    command = ["node", str(KIT), str(shapes[0])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "WebGPU finds no adapter" in done.stderr
