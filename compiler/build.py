"""The whole pipeline: checkpoint, trace, graph, lower, bundle."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import transformers

from compiler.bundle.codec import to_json
from compiler.bundle.schema import FORMAT, Manifest, Plan, Tuned, Variant
from compiler.bundle.write import BundleWriter
from compiler.checkpoint.base import Checkpoint
from compiler.checkpoint.conversion import Converted
from compiler.checkpoint.lora import Adapted
from compiler.checkpoint.open import open_checkpoint
from compiler.embedding import Embedder
from compiler.errors import CheckpointError, UsageError
from compiler.graph.quantize import KEEP, Coding
from compiler.lower import targets as ladder
from compiler.lower.kernel_files import KernelFiles
from compiler.lower.plan import PackedTensor, write_plan
from compiler.lower.selftest import self_tests
from compiler.lower.steps import Model
from compiler.lower.targets import Target, beyond_default, memory, requirements
from compiler.lower.tensors import Constants, Matrix, Plain, Store
from compiler.notes import coded_anew
from compiler.programs import Lowered, Programs, kernel_files, lower_all, trace_functions
from compiler.progress import Progress
from compiler.quantize.layout import Packed, pack, pack_plain
from compiler.quantize.schemes import F32
from compiler.summary import Summary, peak_bytes
from compiler.trace.importer import trace
from compiler.trace.model import build_model, tied_names
from compiler.trace.states import kept

DEFAULT_CONTEXT = 4096  # positions the engine allocates unless told otherwise
QUANTIZED = ("Q", "IQ", "TQ", "MXFP", "AWQ", "GPTQ", "F8", "PACKED")  # how quantized types begin


def build(
    source: str,
    *,
    output: Path | None,
    quantization: str | None,
    context: int | None,
    revision: str | None,
    progress: Progress,
    lora: Path | None = None,
    targets: Sequence[Target] | None = None,
) -> Summary:
    """Compiles `source` into the bundle `output` (default: models/<model name in lower case>), with
    the adapter `lora` merged into it, for all of the ladder or for some `targets`.

    Raises CompileError; nothing is left at `output` then but what was there before.
    """
    start = time.monotonic()
    targets = ladder.TARGETS if targets is None else targets
    with progress.stage("open"):
        opened = open_checkpoint(source, revision)
    with opened:
        name = model_name(source)
        with progress.stage("build model"):
            embedder = Embedder.of(opened, context)
            model = build_model(opened.config) if embedder is None else embedder.model
        targets = _fitting(targets, model, embedder)
        converted = Converted(opened, model)
        checkpoint = converted if lora is None else Adapted(converted, lora)
        limits = limits_of(model) if embedder is None else embedder.limits
        _check_tokenizer(checkpoint, limits.vocabulary)
        default_context = _default_context(limits.context, context)
        store = Store(_coding(checkpoint, model, quantization))
        tracer = partial(trace, model) if embedder is None else embedder.trace
        graphs = trace_functions(tracer, store.coding, targets, progress)
        with progress.stage("lower"):
            programs = lower_all(graphs, targets, limits, store)
        target = output or Path("models") / name.lower()
        with BundleWriter(target, _expected_bytes(store)) as writer:
            files = kernel_files(programs, progress)
            tensors = write_tensors(store, writer, progress)
            sizes = (limits.vocabulary, default_context)
            variants: dict[str, Variant] = {}
            for program in programs:
                variants |= write_variants(writer, program, files, tensors, *sizes)
            notes = _notes(store, variants)
            described = (name, checkpoint, model, limits, default_context)
            known = manifest(*described, variants, tensors, notes, writer)
            writer.finish(known if embedder is None else embedder.described(known))
    return Summary(target, time.monotonic() - start, peak_bytes())


def _fitting(
    targets: Sequence[Target], model: transformers.PreTrainedModel, embedder: Embedder | None
) -> Sequence[Target]:
    """The targets with the functions that a model of this kind has."""
    if embedder is not None:
        return embedder.targets(targets)
    return [target.one_by_one() for target in targets] if kept(model).states else targets


def _coding(
    checkpoint: Converted | Adapted, model: transformers.PreTrainedModel, quantization: str | None
) -> Coding:
    kept = quantization or default_quantization(checkpoint)
    return Coding(checkpoint, tied_names(model), kept, model.base_model_prefix, checkpoint.pieces)


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
            matrix = coding.matrix(recipe, scheme)
            _check_shape(tensor.name, (matrix.rows, matrix.columns), tensor.shape)
            return pack(matrix)
        case Plain(_, recipe, _):
            values = coding.values(recipe)
            _check_shape(tensor.name, values.shape, tensor.shape)
            return pack_plain(values)
        case Constants(_, values):
            return pack_plain(values.view("<f4"))


def _check_shape(name: str, stored: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if tuple(stored) != tuple(expected):
        raise CheckpointError(
            f"{name} is stored with shape {tuple(stored)}, but config.json makes it "
            f"{tuple(expected)}: the configuration and the weights belong to different models"
        )


def _check_tokenizer(checkpoint: Checkpoint, vocabulary: int) -> None:
    """Refuses a tokenizer whose ids the model has no embeddings for."""
    model = json.loads(checkpoint.tokenizer.model_json)
    added = [token["id"] for token in model.get("added_tokens", [])]
    pieces = model["model"].get("vocab", {})
    ids = pieces.values() if isinstance(pieces, dict) else [len(pieces) - 1]
    highest = max([*added, *ids], default=0)
    if highest >= vocabulary:
        raise CheckpointError(
            f"the tokenizer of {checkpoint.label} has ids up to {highest}, the model only "
            f"{vocabulary} tokens: they belong to different models"
        )


def write_variants(
    writer: BundleWriter,
    programs: Programs,
    files: Mapping[str, KernelFiles],
    tensors: Mapping[str, PackedTensor],
    vocabulary: int,
    context: int,
) -> dict[str, Variant]:
    """Writes a target's plans and each variant's kernels, and says what they need at most."""
    target, rest = programs.base.target, (files, tensors, vocabulary)
    plan, written = _write_program(writer, programs.base, *rest)
    plans, tuned = [plan], {}
    for vendor, program in programs.tuned.items():
        special, own = _write_program(writer, program, *rest)
        plans.append(special)
        (tuned[vendor],) = own.values()
    return {
        name: Variant(
            backend=target.backend,
            plan=written[name].plan,
            kernels=written[name].kernels,
            requires=requirements(target, plans, features, context),
            memory=memory(plans),
            selftest=written[name].selftest,
            tuned=tuned,
        )
        for name, features in target.variants.items()
    }


def _write_program(
    writer: BundleWriter,
    program: Lowered,
    files: Mapping[str, KernelFiles],
    tensors: Mapping[str, PackedTensor],
    vocabulary: int,
) -> tuple[Plan, dict[str, Tuned]]:
    """Writes one plan and its kernels: what a manifest says of each variant that shares it."""
    target, own = program.target, files[program.target.name]
    listed = (program.listings, own, program.caches)
    plan = write_plan(target.name, *listed, tensors, vocabulary)
    file = writer.add_file("plans", plan.variant, ".json", to_json(plan))
    tests = self_tests(program.listings, own, half=target.kernels.half)
    suffix = ".wasm" if target.backend == "wasm" else ".wgsl"
    return plan, {
        name: Tuned(file, writer.add_file("kernels", name, suffix, code), tests)
        for name, code in own.files.items()
    }


def manifest(
    name: str,
    checkpoint: Checkpoint,
    model: transformers.PreTrainedModel,
    limits: Model,
    default_context: int,
    variants: Mapping[str, Variant],
    tensors: Mapping[str, PackedTensor],
    notes: list[str],
    writer: BundleWriter,
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
        default_context=default_context,
        bits_per_weight=round(weight_bytes * 8 / parameters, 3),
        chat_template=tokenizer.chat_template,
        special_tokens=tokenizer.special_tokens,
        stop_tokens=tokenizer.stop_tokens,
        tokenizer=writer.add_tokenizer(tokenizer.model_json, config),
        variants=dict(variants),
        tensors={},
        files={},
        notes=notes,
    )


def _notes(store: Store, variants: Mapping[str, Variant]) -> list[str]:
    limits = {k: v for variant in variants.values() for k, v in variant.requires.limits.items()}
    matrices = [t for t in store.tensors.values() if isinstance(t, Matrix)]
    return [*beyond_default(limits), *coded_anew(matrices, store.coding)]


def model_name(source: str) -> str:
    """The model's name: a file's or folder's without extension and coding, a hub id's last part."""
    path = Path(source).expanduser()
    last = path.resolve().name if path.is_dir() else Path(source.split(":")[-1]).name
    stem = re.sub(r"(-\d{5}-of-\d{5})?\.gguf$", "", last)
    return re.sub(r"[.-](I?Q\d\w*|F16|F32|BF16)$", "", stem, flags=re.IGNORECASE) or "model"


def default_quantization(checkpoint: Checkpoint) -> str:
    """`keep` for sources that are quantized already, `q4` for others."""
    stored = {checkpoint.info(name).stored for name in checkpoint.names()}
    return KEEP if any(name.startswith(QUANTIZED) for name in stored) else "q4"


def limits_of(model: transformers.PreTrainedModel) -> Model:
    """Its vocabulary, and the positions it was made for."""
    config = model.config.get_text_config()
    limit = getattr(config, "max_position_embeddings", None)
    return Model(config.vocab_size, int(limit or DEFAULT_CONTEXT))


def _default_context(limit: int, wanted: int | None) -> int:
    """Positions the engine allocates unless told otherwise."""
    if wanted is None:
        return min(limit, DEFAULT_CONTEXT)
    if not 16 <= wanted <= limit:
        raise UsageError(f"--context {wanted}: choose from 16 to {limit} for this model")
    return wanted


def _expected_bytes(store: Store) -> int:
    """Roughly what the bundle takes, to refuse a full disk before any work."""
    matrices = [t for t in store.tensors.values() if isinstance(t, Matrix)]
    return sum(t.shape[0] * t.shape[1] * (t.scheme.bits + 1) // 8 for t in matrices)
