"""The whole pipeline: checkpoint, trace, graph, lower, bundle."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers

from compiler.bundle.codec import to_json
from compiler.bundle.schema import FORMAT, Manifest, Variant
from compiler.bundle.write import BundleWriter
from compiler.checkpoint.base import Checkpoint
from compiler.checkpoint.open import open_checkpoint
from compiler.errors import UsageError
from compiler.graph.passes import optimise
from compiler.graph.quantize import KEEP, Coding
from compiler.kernels.cache import CacheShape
from compiler.lower import targets
from compiler.lower.generic import legalise
from compiler.lower.plan import Lowered, PackedTensor, write_plan
from compiler.lower.steps import Lister, Listing, Model
from compiler.lower.tensors import Constants, Matrix, Plain, Store
from compiler.progress import Progress
from compiler.quantize.layout import Packed, pack, pack_plain
from compiler.quantize.schemes import F32
from compiler.summary import Summary, peak_bytes
from compiler.trace.importer import trace
from compiler.trace.model import build_model, tied_names

VARIANT = "f32"
DEFAULT_CONTEXT = 4096  # positions the engine allocates unless told otherwise


def build(
    source: str,
    *,
    output: Path | None,
    quantization: str | None,
    context: int | None,
    revision: str | None,
    progress: Progress,
) -> Summary:
    """Compiles `source` into the bundle `output` (default: models/<model name in lower case>).

    Raises CompileError; nothing is left at `output` then but what was there before.
    """
    start = time.monotonic()
    with progress.stage("open"):
        checkpoint = open_checkpoint(source, revision)
    with checkpoint:
        name = model_name(source)
        target = output or Path("models") / name.lower()
        with progress.stage("build model"):
            model = build_model(checkpoint.config)
        coding = Coding(checkpoint, tied_names(model), quantization or _default(checkpoint))
        limits = Model(model.config.get_text_config().vocab_size, _context(model.config, context))
        program = lower_functions(model, limits, Store(coding), progress)
        with BundleWriter(target, _expected_bytes(program.store)) as writer:
            tensors = write_tensors(program.store, writer, progress)
            with progress.stage("kernels"):
                lowered = write_plan(
                    VARIANT, program.listings, program.caches, tensors, limits.vocabulary
                )
            variant = write_variant(writer, lowered, min(limits.context, DEFAULT_CONTEXT))
            writer.finish(
                manifest(name, checkpoint, model, limits, variant, tensors, coding, writer, program)
            )
    return Summary(target, time.monotonic() - start, peak_bytes())


@dataclass(frozen=True)
class Program:
    """All functions as launches, and what they share."""

    listings: Mapping[str, Listing]
    caches: Mapping[int, CacheShape]
    store: Store


def lower_functions(
    model: transformers.PreTrainedModel, limits: Model, store: Store, progress: Progress
) -> Program:
    """Traces and lowers `decode` and every `prefill_<N>` that the context has room for."""
    sizes = {"decode": 1}
    sizes |= {f"prefill_{n}": n for n in targets.PREFILL_ROWS if n <= limits.context}
    listings: dict[str, Listing] = {}
    caches: dict[int, CacheShape] = {}
    with progress.stage("trace and lower", total=3 * len(sizes)) as stage:
        for function, rows in sizes.items():
            traced = trace(model, rows)
            stage.advance(1, function)
            graph = optimise(traced, store.coding.same, logits=function == "decode")
            stage.advance(1, function)
            lister = Lister(legalise(graph), limits, store, rows)
            listings[function] = lister.run(sample=function == "decode")
            caches |= lister.caches
            stage.advance(1, function)
    return Program(listings, caches, store)


def write_tensors(
    store: Store, writer: BundleWriter, progress: Progress
) -> dict[str, PackedTensor]:
    """Packs and writes every weight, one at a time."""
    packed: dict[str, PackedTensor] = {}
    with progress.stage("weights", total=len(store.tensors)) as stage:
        for name, tensor in store.tensors.items():
            data = _pack(store.coding, tensor)
            shape = tensor.values.shape if isinstance(tensor, Constants) else tensor.shape
            writer.add_tensor(
                name,
                shape=list(shape),
                scheme=tensor.scheme if isinstance(tensor, Matrix) else F32,
                layout="blocked" if isinstance(tensor, Matrix) else "plain",
                data=data.data.data,
                parts=data.parts,
            )
            packed[name] = PackedTensor(data.data.nbytes, data.parts)
            stage.advance(1, name)
    return packed


def _pack(coding: Coding, tensor: Matrix | Plain | Constants) -> Packed:
    match tensor:
        case Matrix(_, recipe, _, scheme):
            return pack(coding.matrix(recipe, scheme))
        case Plain(_, recipe, _):
            return pack_plain(coding.values(recipe))
        case Constants(_, values):
            return pack_plain(values.view("<f4"))


def write_variant(writer: BundleWriter, lowered: Lowered, context: int) -> Variant:
    """Writes plan and kernels, and says what they need."""
    return Variant(
        backend="webgpu",
        plan=writer.add_file("plans", VARIANT, ".json", to_json(lowered.plan)),
        kernels=writer.add_file("kernels", VARIANT, ".wgsl", lowered.kernels),
        requires=targets.requirements(lowered.plan, context),
        memory=targets.memory(lowered.plan),
    )


def manifest(
    name: str,
    checkpoint: Checkpoint,
    model: transformers.PreTrainedModel,
    limits: Model,
    variant: Variant,
    tensors: Mapping[str, PackedTensor],
    coding: Coding,
    writer: BundleWriter,
    program: Program,
) -> Manifest:
    """The manifest, but for tensors and files, which the writer knows."""
    tokenizer = checkpoint.tokenizer
    config = json.dumps(tokenizer.config, ensure_ascii=False, sort_keys=True).encode()
    parameters = sum(p.numel() for p in model.parameters())
    weight_bytes = sum(tensor.bytes for tensor in tensors.values())
    return Manifest(
        format=FORMAT,
        name=name,
        architecture=type(model).__name__,
        license=checkpoint.license,
        source=checkpoint.label,
        parameters=parameters,
        vocabulary=limits.vocabulary,
        context=limits.context,
        default_context=min(limits.context, DEFAULT_CONTEXT),
        bits_per_weight=round(weight_bytes * 8 / parameters, 3),
        chat_template=tokenizer.chat_template,
        special_tokens=tokenizer.special_tokens,
        stop_tokens=tokenizer.stop_tokens,
        tokenizer=writer.add_tokenizer(tokenizer.model_json, config),
        variants={VARIANT: variant},
        tensors={},
        files={},
        notes=_notes(coding, program.store, variant),
    )


def _notes(coding: Coding, store: Store, variant: Variant) -> list[str]:
    notes = targets.beyond_default(variant.requires.limits)
    matrices = [t for t in store.tensors.values() if isinstance(t, Matrix)]
    recoded = [t.name for t in matrices if coding.recoded(t.recipe)]
    if coding.quantization == KEEP and recoded:
        count = f"{len(recoded)} of {len(matrices)}"
        notes.append(f"{count} matrices were coded anew, {recoded[0]} first among them")
    return notes


def model_name(source: str) -> str:
    """The model's name: a file's or folder's without extension and coding, a hub id's last part."""
    last = Path(source.split(":")[-1].rstrip("/")).name
    stem = last.removesuffix(".gguf")
    return re.sub(r"[.-](I?Q\d\w*|F16|F32|BF16)$", "", stem, flags=re.IGNORECASE) or "model"


def _default(checkpoint: Checkpoint) -> str:
    """`keep` for sources that are quantized already, `q4` for others."""
    plain = {"F32", "F16", "BF16", "F64"}
    stored = {checkpoint.info(name).stored for name in checkpoint.names()}
    return KEEP if stored - plain else "q4"


def _context(config: Any, wanted: int | None) -> int:
    """Positions the bundle is made for: the model's, or fewer where the user said so."""
    limit = getattr(config.get_text_config(), "max_position_embeddings", None)
    if wanted is None:
        return int(limit or DEFAULT_CONTEXT)
    if wanted < 16 or (limit is not None and wanted > limit):
        raise UsageError(f"--context {wanted}: choose from 16 to {limit} for this model")
    return wanted


def _expected_bytes(store: Store) -> int:
    """Roughly what the bundle takes, to refuse a full disk before any work."""
    matrices = [t for t in store.tensors.values() if isinstance(t, Matrix)]
    return sum(t.shape[0] * t.shape[1] * (t.scheme.bits + 1) // 8 for t in matrices)
