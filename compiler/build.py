"""The whole pipeline: checkpoint, trace, graph, lower, bundle."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from compiler.bundle.codec import to_json
from compiler.bundle.schema import FORMAT, Manifest, Plan, Tuned, Variant
from compiler.bundle.write import BundleWriter
from compiler.checkpoint.card import stored_types
from compiler.checkpoint.open import open_checkpoint
from compiler.checkpoint.own import is_own
from compiler.checks import check_shape, check_tokenizer, chosen_context, stop_tokens
from compiler.graph.quantize import Coding
from compiler.lower import targets as ladder
from compiler.lower.kernel_files import KernelFiles
from compiler.lower.plan import PackedTensor, bytes_read, write_plan
from compiler.lower.selftest import self_tests
from compiler.lower.targets import (
    Target,
    beyond_addresses,
    beyond_default,
    memory,
    requirements,
)
from compiler.lower.tensors import Constants, Matrix, Plain, Store
from compiler.notes import coded_anew, never_generated
from compiler.programs import Lowered, Programs, kernel_files, lower_all, trace_functions
from compiler.progress import Progress
from compiler.quantize.layout import Packed, pack, pack_plain
from compiler.quantize.schemes import F32
from compiler.subject import DEFAULT_CONTEXT, Subject, open_subject
from compiler.summary import Summary, peak_bytes


def build(
    source: str,
    *,
    output: Path | None,
    quantization: str | None,
    context: int | None,
    revision: str | None,
    progress: Progress,
    lora: Path | None = None,
    tokenizer: Path | None = None,
    targets: Sequence[Target] | None = None,
) -> Summary:
    """Compiles `source` into the bundle `output` (default: models/<model name in lower case>), with
    the adapter `lora` merged into it, for all of the ladder or for some `targets`. `tokenizer` is
    the folder of the tokenizer of a user's own PyTorch.

    Raises CompileError; nothing is left at `output` then but what was there before.
    """
    start = time.monotonic()
    with progress.stage("open"):
        opened = open_checkpoint(source, revision, tokenizer)
    with opened:
        name = model_name(source)
        with progress.stage("build model"):
            subject = open_subject(opened, lora, context)
        targets = subject.fitting(ladder.TARGETS if targets is None else targets)
        limits = subject.limits
        check_tokenizer(subject.weights, limits.vocabulary)
        default_context = chosen_context(limits.context, context, DEFAULT_CONTEXT)
        store = Store(subject.coded(quantization))
        graphs = trace_functions(subject, store.coding, targets, progress)
        with progress.stage("lower"):
            programs = lower_all(graphs, targets, limits, store)
        target = output or Path("models") / name.lower()
        with BundleWriter(target, _expected_bytes(store)) as writer:
            files = kernel_files(programs, progress)
            tensors = write_tensors(store, writer, progress)
            described = (name, subject, default_context)
            writer.finish(write_programs(writer, programs, files, tensors, store, *described))
    return Summary(target, time.monotonic() - start, peak_bytes())


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
            check_shape(tensor.name, (matrix.rows, matrix.columns), tensor.shape)
            return pack(matrix)
        case Plain(_, recipe, _):
            values = coding.values(recipe)
            check_shape(tensor.name, values.shape, tensor.shape)
            return pack_plain(values)
        case Constants(_, values):
            return pack_plain(values.view("<f4"))


def write_programs(
    writer: BundleWriter,
    programs: Sequence[Programs],
    files: Mapping[str, KernelFiles],
    tensors: Mapping[str, PackedTensor],
    store: Store,
    name: str,
    subject: Subject,
    context: int,
) -> Manifest:
    """Writes every target's plans and kernels. Returns the manifest of the model `name`, but for
    tensors and files; `context` is its default."""
    variants: dict[str, Variant] = {}
    for each in programs:
        variants |= _write_variants(writer, each, files, tensors, subject, context)
    said = _notes(subject, store, variants, tensors, context)
    known = _manifest(name, subject, context, variants, tensors, said, writer)
    return known if subject.embedder is None else subject.embedder.described(known)


def _write_variants(
    writer: BundleWriter,
    programs: Programs,
    files: Mapping[str, KernelFiles],
    tensors: Mapping[str, PackedTensor],
    subject: Subject,
    context: int,
) -> dict[str, Variant]:
    """Writes a target's plans and each variant's kernels, and says what they need at most."""
    target, rest = programs.base.target, (files, tensors, subject.limits.vocabulary)
    plan, written = _write_program(writer, programs.base, *rest)
    plans, tuned = [plan], {}
    for vendor, program in programs.tuned.items():
        special, own = _write_program(writer, program, *rest)
        plans.append(special)
        (tuned[vendor],) = own.values()
    decode = None if subject.recomputed else programs.base.listings.get("decode")
    return {
        name: Variant(
            backend=target.backend,
            plan=written[name].plan,
            kernels=written[name].kernels,
            requires=requirements(target, plans, features, context),
            memory=memory(plans),
            bytes_per_token=None if decode is None else bytes_read(decode, tensors),
            dispatches_per_token=None if decode is None else len(decode.launches),
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


def _manifest(
    name: str,
    subject: Subject,
    default_context: int,
    variants: Mapping[str, Variant],
    tensors: Mapping[str, PackedTensor],
    said: list[str],
    writer: BundleWriter,
) -> Manifest:
    """The manifest, but for tensors and files, which the writer knows."""
    weights, limits = subject.weights, subject.limits
    tokenizer = weights.tokenizer
    config = json.dumps(tokenizer.config, ensure_ascii=False, sort_keys=True).encode()
    weight_bytes = sum(tensor.bytes for tensor in tensors.values())
    return Manifest(
        format=FORMAT,
        name=name,
        architecture=subject.architecture,
        card=dataclasses.replace(weights.description.card, stored=stored_types(weights)),
        source=weights.label,
        parameters=subject.parameters,
        vocabulary=limits.vocabulary,
        context=limits.context,
        default_context=default_context,
        bits_per_weight=round(weight_bytes * 8 / subject.parameters, 3),
        chat_template=tokenizer.chat_template,
        special_tokens=tokenizer.special_tokens,
        stop_tokens=stop_tokens(weights, limits.vocabulary),
        tokenizer=writer.add_tokenizer(tokenizer.model_json, config),
        variants=dict(variants),
        tensors={},
        files={},
        notes=said,
    )


def _notes(
    subject: Subject,
    store: Store,
    variants: Mapping[str, Variant],
    tensors: Mapping[str, PackedTensor],
    context: int,
) -> list[str]:
    """What people should know of a bundle: what not every device can do, what was coded anew."""
    limits = {k: v for variant in variants.values() for k, v in variant.requires.limits.items()}
    whole = (
        f"each token is computed from the whole prefix, {subject.limits.context} positions at a "
        f"time: {subject.recomputed} cannot go on from a cache"
    )
    matrices = [t for t in store.tensors.values() if isinstance(t, Matrix)]
    said = [
        *subject.weights.description.notes,
        *beyond_default(limits, tensors),
        *beyond_addresses(variants.values(), context),
        *coded_anew(matrices, store.coding),
        *never_generated(subject.weights.tokenizer.stop_tokens, subject.limits.vocabulary),
    ]
    return [*said, whole] if subject.recomputed else said


def model_name(source: str) -> str:
    """The model's name: a file's or folder's without extension and coding, a hub id's last part."""
    path = Path(source).expanduser()
    if is_own(source):
        return re.sub(r"\.(pt2|py(:\w+)?)$", "", path.name)
    last = path.resolve().name if path.is_dir() else Path(source.split(":")[-1]).name
    stem = re.sub(r"(-\d{5}-of-\d{5})?\.gguf$", "", last)
    return re.sub(r"[.-](I?Q\d\w*|F16|F32|BF16)$", "", stem, flags=re.IGNORECASE) or "model"


def _expected_bytes(store: Store) -> int:
    """Roughly what the bundle takes, to refuse a full disk before any work."""
    matrices = [t for t in store.tensors.values() if isinstance(t, Matrix)]
    return sum(t.shape[0] * t.shape[1] * (t.scheme.bits + 1) // 8 for t in matrices)
