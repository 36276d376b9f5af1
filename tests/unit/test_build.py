"""The whole pipeline on tiny models: from a folder of transformers files to a bundle."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import transformers as hf

from compiler import build as build_module
from compiler.build import build, model_name
from compiler.bundle.inspect import facts
from compiler.bundle.read import Bundle
from compiler.errors import CompileError, UnsupportedModelError, UsageError
from compiler.kernels.gpu import tilings
from compiler.kernels.specs import Linear
from compiler.lower import targets
from compiler.lower.targets import DEFAULT_LIMITS
from compiler.progress import SilentProgress
from compiler.quantize import F32, Q4_MIN, dequantize, quantize, unpack
from compiler.shapes import tiled_shapes
from tests.support import own_models
from tests.unit.checkpoint import tiny

pytestmark = pytest.mark.slow  # traces or compiles models


def save(model: hf.PreTrainedModel, folder: Path) -> Path:
    model.save_pretrained(folder)
    tiny.write_tokenizer(folder)
    return folder


def compile_(source: Path, output: Path, **options: Any) -> Bundle:
    settings = {"quantization": "q4", "context": None, "revision": None, **options}
    summary = build(str(source), output=output, progress=SilentProgress(), **settings)
    assert summary.bundle == output
    return Bundle.open(output)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tiny.llama(), tmp_path_factory.mktemp("checkpoints") / "Tiny-Llama")


@pytest.fixture(scope="module")
def bundle(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return compile_(checkpoint, tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture
def webgpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out four WebAssembly modules, some 10 s, where they are not what is tested."""
    monkeypatch.setattr(targets, "TARGETS", (targets.WEBGPU,))


def test_facts(bundle: Bundle) -> None:
    known = facts(bundle)
    assert (known["name"], known["architecture"]) == ("Tiny-Llama", "LlamaForCausalLM")
    assert (known["vocabulary"], known["context"], known["default_context"]) == (288, 128, 128)
    assert known["parameters"] == sum(p.numel() for p in tiny.llama().parameters())
    variant = known["variants"]["f32"]
    # QKV to the cache, attend, and three products: two norm their input, two add the residual.
    # Every weight once, and a row of the embedding, whose weights are the head's too.
    row = 64 // 32 * 20
    assert variant["bytes_per_token"] == variant["weight_bytes"] + row
    assert variant["dispatches_per_layer"] == {"decode": 5, "prefill": 5, "verify": 5}
    assert variant["dispatches"].keys() == {"decode", "prefill_128", "verify_4"}
    assert variant["max_storage_buffers_per_stage"] <= 8
    assert variant["max_workgroup_bytes"] <= 16384
    assert variant["max_invocations"] <= 256


def test_facts_of_a_module(bundle: Bundle) -> None:
    """WebGPU's words for WebAssembly's figures: see VariantFacts."""
    known = facts(bundle)["variants"]["wasm"]
    variant = bundle.manifest.variants["wasm"]
    assert known["backend"] == "wasm"
    assert known["kernel_text_bytes"] == bundle.manifest.files[variant.kernels].bytes < 10**5
    assert known["max_invocations"] == 1
    # Sampling holds logits, keys and masses of the vocabulary, and a histogram of 2048 buckets.
    assert known["max_workgroup_bytes"] == 3 * 288 * 4 + 2048 * 4
    # A chunk's 32 tokens, each with 4 heads of queries and 2 + 2 of keys and values.
    assert known["max_workgroups_per_dimension"] == 32 * 8


def test_variants_of_a_backend_share_a_plan(bundle: Bundle) -> None:
    variants = bundle.manifest.variants
    assert list(variants) == [name for target in targets.TARGETS for name in target.variants]
    wasm = [variant for variant in variants.values() if variant.backend == "wasm"]
    assert len({variant.plan for variant in wasm}) == 1
    assert len({variant.kernels for variant in wasm}) == len(targets.WASM.variants)
    assert all(variant.requires.limits == {} for variant in wasm)


def test_steps_of_every_backend(bundle: Bundle) -> None:
    """The same graph: a step is cheap on a CPU, so that norms have their own there."""
    webgpu, wasm = (bundle.plans[name].functions["decode"] for name in ("f32", "wasm"))
    counted = [Counter(step.layer for step in one.steps) for one in (webgpu, wasm)]
    assert [(count[0], count[1]) for count in counted] == [(5, 5), (8, 8)]
    assert bundle.plans["wasm"].functions.keys() == {"decode", "prefill_32"}


def test_needs_no_more_than_every_device_has(bundle: Bundle) -> None:
    limits = bundle.manifest.variants["f32"].requires.limits
    assert limits.keys() == DEFAULT_LIMITS.keys()
    assert all(limits[name] <= most for name, most in DEFAULT_LIMITS.items())
    assert bundle.manifest.notes == []


def test_weights_are_stored_once_and_grouped(bundle: Bundle) -> None:
    layer = "model.layers.{}."
    expected = {"lm_head.weight", "model.norm.weight"}
    for prefix in (layer.format(0), layer.format(1)):
        qkv = "+".join(f"{prefix}self_attn.{n}_proj.weight" for n in "qkv")
        expected |= {qkv, f"{prefix}self_attn.o_proj.weight", f"{prefix}mlp.down_proj.weight"}
        expected |= {f"{prefix}mlp.gate_proj.weight+{prefix}mlp.up_proj.weight"}
        expected |= {f"{prefix}{n}_layernorm.weight" for n in ("input", "post_attention")}
    assert {n for n in bundle.manifest.tensors if not n.startswith("constant.")} == expected


def test_weights_are_those_of_the_checkpoint(bundle: Bundle) -> None:
    state = tiny.llama().state_dict()
    norm = np.frombuffer(bundle.read_tensor_bytes("model.norm.weight"), np.float32)
    np.testing.assert_array_equal(norm, state["model.norm.weight"].numpy())
    name = "model.layers.1.self_attn.o_proj.weight"
    tensor = bundle.manifest.tensors[name]
    assert tensor.scheme == Q4_MIN
    data = np.frombuffer(bundle.read_tensor_bytes(name), np.uint8)
    got = dequantize(unpack(data, tensor.parts, tensor.scheme, tensor.shape[0]))
    np.testing.assert_array_equal(got, dequantize(quantize(state[name].numpy(), Q4_MIN)))


@pytest.mark.parametrize("variant", ["f32", "wasm"])
def test_every_step_stays_inside_its_buffers(bundle: Bundle, variant: str) -> None:
    plan = bundle.plans[variant]
    for function in plan.functions.values():
        for step in function.steps:
            assert len(step.bindings) == len(plan.kernels[step.kernel].access)
            for binding in step.bindings:
                buffer = plan.buffers[binding.buffer]
                size = buffer.bytes + 128 * buffer.bytes_per_token
                assert binding.offset % 256 == 0
                assert binding.offset + binding.bytes <= size


@pytest.mark.parametrize("variant", ["f32", "wasm"])
def test_no_step_reads_what_it_writes(bundle: Bundle, variant: str) -> None:
    """WebGPU tracks usage by whole buffer, and CPU kernels are compiled for pointers that do not
    alias: one buffer bound twice must only be read."""
    plan = bundle.plans[variant]
    for function in plan.functions.values():
        for step in function.steps:
            access = plan.kernels[step.kernel].access
            bound = [binding.buffer for binding in step.bindings]
            for buffer, mode in zip(bound, access, strict=True):
                assert mode == "read" or bound.count(buffer) == 1


def test_the_same_source_gives_the_same_files(
    bundle: Bundle, checkpoint: Path, tmp_path: Path
) -> None:
    again = compile_(checkpoint, tmp_path / "again")
    assert again.manifest.files == bundle.manifest.files


@pytest.mark.parametrize("context", [-1, 0, 15, 129, 10**12])
def test_absurd_context_is_refused(checkpoint: Path, tmp_path: Path, context: int) -> None:
    message = f"--context {context}: choose from 16 to 128 for this model"
    with pytest.raises(UsageError, match=message):
        compile_(checkpoint, tmp_path / "out", context=context)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("webgpu_only")
def test_context_is_what_the_engine_allocates(checkpoint: Path, tmp_path: Path) -> None:
    short = compile_(checkpoint, tmp_path / "out", context=40, quantization="f32")
    assert (short.manifest.context, short.manifest.default_context) == (128, 40)
    assert short.plans["f32"].functions.keys() == {"decode", "prefill_128", "verify_4"}
    schemes = {tensor.scheme for tensor in short.manifest.tensors.values()}
    assert schemes == {F32}


@pytest.mark.usefixtures("webgpu_only")
def test_a_vendor_with_measured_tilings_gets_kernels_of_its_own(
    bundle: Bundle, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = tiled_shapes(str(checkpoint), "q4", None, SilentProgress())
    product = next(spec for spec in shapes if isinstance(spec, Linear) and spec.rows == 1)
    table = {"acme": {product.name: (1, 16, 1, 1)}, "other": {"no shape of it": (1, 1, 1, 1)}}
    monkeypatch.setattr(tilings, "measured", lambda: table)
    variant = compile_(checkpoint, tmp_path / "out").manifest.variants["f32"]
    assert variant.tuned.keys() == {"acme"}
    tuned = variant.tuned["acme"]
    base = bundle.manifest.variants["f32"]
    assert (variant.plan, variant.kernels) == (base.plan, base.kernels)
    assert tuned.plan.startswith("plans/f32-acme-")
    assert tuned.kernels.startswith("kernels/f32-acme-")
    assert len(tuned.selftest) == len(variant.selftest)
    files = [json.loads((tmp_path / "out" / p).read_text()) for p in (variant.plan, tuned.plan)]
    grids = [[step["grid"] for step in one["functions"]["decode"]["steps"]] for one in files]
    assert grids[0] != grids[1]


def test_unsupported_model_leaves_no_bundle(tmp_path: Path) -> None:
    config = tiny.small(hf.DiffLlamaConfig, vocab_size=288, num_key_value_heads=2)
    source = save(hf.DiffLlamaForCausalLM(config), tmp_path / "diffllama")
    with pytest.raises(UnsupportedModelError, match="DiffLlamaForCausalLM"):
        compile_(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("webgpu_only")
@pytest.mark.filterwarnings("ignore::FutureWarning")  # PEFT's
def test_adapter_is_merged(checkpoint: Path, tmp_path: Path) -> None:
    config = peft.LoraConfig(r=2, target_modules=["down_proj"], init_lora_weights=False)
    wrapped = peft.get_peft_model(hf.AutoModelForCausalLM.from_pretrained(checkpoint), config)
    wrapped.save_pretrained(tmp_path / "adapter")
    merged = wrapped.merge_and_unload().state_dict()
    made = compile_(checkpoint, tmp_path / "out", quantization="f32", lora=tmp_path / "adapter")
    assert made.manifest.source == "Tiny-Llama + adapter"
    for name in ("model.layers.1.mlp.down_proj.weight", "model.layers.1.self_attn.o_proj.weight"):
        tensor = made.manifest.tensors[name]
        data = np.frombuffer(made.read_tensor_bytes(name), np.uint8)
        values = dequantize(unpack(data, tensor.parts, tensor.scheme, tensor.shape[0]))
        expected = merged[name].numpy()
        np.testing.assert_allclose(values[:, : expected.shape[1]], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("webgpu_only")
def test_failure_keeps_the_bundle_that_was_there(
    bundle: Bundle, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    shutil.copytree(bundle.path, output)
    before = (output / "manifest.json").read_bytes()

    def fail(*args: object) -> None:
        raise CompileError("the disk is full")

    monkeypatch.setattr(build_module, "write_programs", fail)
    with pytest.raises(CompileError, match="disk is full"):
        compile_(checkpoint, output, context=16)
    assert (output / "manifest.json").read_bytes() == before
    assert Bundle.open(output).manifest.default_context == 128


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("models/Tiny-Q4_K_M-00001-of-00003.gguf", "Tiny"),
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct"),
        ("model-IQ3_XS.gguf", "model"),
        ("folder/Llama-3.2-1B/", "Llama-3.2-1B"),
        ("org/Name", "Name"),
        ("org/repo:Name-F16.gguf", "Name"),
        ("Qwen2-0.5B", "Qwen2-0.5B"),
        ("Q4_0.gguf", "Q4_0"),
    ],
)
def test_model_name(source: str, name: str) -> None:
    assert model_name(source) == name


PEAK = """
import sys
from collections import Counter
from pathlib import Path
from compiler.build import build
from compiler.progress import SilentProgress
import compiler.trace.importer
from compiler.summary import peak_bytes
before = peak_bytes()
build(sys.argv[1], output=Path(sys.argv[2]), quantization="q4", context=16, revision=None,
      progress=SilentProgress())
print(peak_bytes() - before)
"""


@pytest.mark.soak
def test_memory_is_far_below_the_model(tmp_path: Path) -> None:
    """450 MB of weights, of which no more than one is in memory at a time."""
    model = tiny.llama(
        hidden_size=1536, intermediate_size=6144, num_hidden_layers=3, vocab_size=512
    )
    largest = 2 * 6144 * 1536 * 4  # gate and up in one
    total = sum(p.nbytes for p in model.parameters())
    assert total > 400 * 10**6
    source = save(model, tmp_path / "wide")
    command = [sys.executable, "-c", PEAK, str(source), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # That weight's values, a copy of them, and 150 MB for tracing and code generation.
    assert int(done.stdout) < 2 * largest + 150 * 10**6 < total


@pytest.mark.usefixtures("webgpu_only")
def test_own_modules_that_are_recomputed(tmp_path: Path) -> None:
    """A step is the whole prefix; prompts have nothing to leave behind, and nothing is guessed."""
    tiny.write_tokenizer(tmp_path)
    settings = {"context": 32, "tokenizer": tmp_path, "quantization": None}
    bundle = compile_(Path(f"{own_models.__file__}:convolved"), tmp_path / "own", **settings)
    functions = bundle.plans["f32"].functions
    assert functions.keys() == {"decode", "prefill_128"}
    assert (functions["decode"].rows, functions["prefill_128"].steps) == (1, [])
    manifest = bundle.manifest
    assert (manifest.name, manifest.architecture) == ("own_models", "Convolved")
    assert (manifest.context, manifest.default_context) == (32, 32)
    variant = manifest.variants["f32"]
    assert (variant.bytes_per_token, variant.dispatches_per_token) == (None, None)
    (note,) = manifest.notes
    assert note.startswith("each token is computed from the whole prefix, 32 positions at a time")
    assert "aten.conv1d (y = self.conv(before).transpose(1, 2))" in note


def test_own_modules_take_no_adapter(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--lora .* is for models of transformers"):
        compile_(Path(f"{own_models.__file__}:bigram"), tmp_path / "own", lora=tmp_path)


def test_own_modules_need_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match=r"has no tokenizer.json: give .* --tokenizer"):
        compile_(Path(f"{own_models.__file__}:bigram"), tmp_path / "own")
    assert not (tmp_path / "own").exists()
