"""From a model to the kernels and launches of every target's functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from compiler.graph.passes import optimise
from compiler.graph.program import Program as Graph
from compiler.graph.prologue import fuse_prologues
from compiler.graph.quantize import Coding
from compiler.kernels.dsl import KernelFunction
from compiler.kernels.specs import CacheShape
from compiler.lower.generic import Backend, legalise
from compiler.lower.kernel_files import KernelFiles, wasm_files, wgsl_files
from compiler.lower.launches import Listing
from compiler.lower.plan import kernels_of
from compiler.lower.steps import Lister, Model
from compiler.lower.targets import Target
from compiler.lower.tensors import Store
from compiler.lower.texts import TextLister
from compiler.progress import Progress
from compiler.subject import Subject


def trace_functions(
    subject: Subject,
    coding: Coding,
    targets: Sequence[Target],
    progress: Progress,
) -> dict[str, Graph]:
    """Every function of a target, traced and optimised; kernels mask what the context lacks."""
    rows = {name: n for target in targets for name, n in target.functions.items()}
    if subject.recomputed:
        rows = {"decode": subject.limits.context}
    graphs: dict[str, Graph] = {}
    with progress.stage("trace", total=2 * len(rows)) as stage:
        for function, count in rows.items():
            traced = subject.trace(count)
            stage.advance(1, function)
            graph = optimise(traced, coding.same, _samples(function), coding.order)
            if graph.module["main"].body.blocks:  # a prompt may leave nothing behind
                graphs[function] = graph
            stage.advance(1, function)
    return graphs


def _samples(function: str) -> bool:
    return not function.startswith("prefill_")


@dataclass(frozen=True)
class Lowered:
    """All functions of one target as launches."""

    target: Target
    listings: Mapping[str, Listing]
    caches: Mapping[int, CacheShape]

    @property
    def kernels(self) -> list[KernelFunction]:
        """Each once. Factories are cached: the same settings give the same objects."""
        return kernels_of(self.listings.values())

    def files(self) -> KernelFiles:
        """The files of its kernels; the long part of a build."""
        if self.target.backend == "wasm":
            return wasm_files(self.kernels, self.target.variants)
        return wgsl_files(self.kernels, self.target.name)


@dataclass(frozen=True)
class Programs:
    """A target's program for any device, and by vendor where tuned kernels make another one."""

    base: Lowered
    tuned: Mapping[str, Lowered]


def lower_all(
    graphs: Mapping[str, Graph], targets: Sequence[Target], limits: Model, store: Store
) -> list[Programs]:
    """The functions of every target; those of one backend share what TVM lowered."""
    legal: dict[Backend, Mapping[str, Graph]] = {}
    programs = []
    for target in targets:
        if target.backend not in legal:
            legal[target.backend] = legal_graphs(graphs, target)
        graph = legal[target.backend]
        base = lower(graph, target, limits, store)
        made = {v: lower(graph, target.tuned(v), limits, store) for v in target.vendors}
        tuned = {v: one for v, one in made.items() if one.kernels != base.kernels}
        programs.append(Programs(base, tuned))
    return programs


def legal_graphs(graphs: Mapping[str, Graph], target: Target) -> dict[str, Graph]:
    """The functions that `target` has, with nothing in them but what kernels compute."""
    fused = target.kernels.fused is not None
    return {
        name: legalise(fuse_prologues(graphs[name]) if fused else graphs[name], target.backend)
        for name in target.functions
        if name in graphs
    }


def lower(graphs: Mapping[str, Graph], target: Target, limits: Model, store: Store) -> Lowered:
    """Kernels and launches of legal graphs."""
    listings: dict[str, Listing] = {}
    caches: dict[int, CacheShape] = {}
    for function, graph in graphs.items():
        kind = TextLister if function.startswith("embed_") else Lister
        lister = kind(graph, limits, store, target.kernels, target.functions[function])
        listings[function] = lister.run(sample=_samples(function))
        caches |= lister.caches
    for function, rows in target.functions.items():
        if not _samples(function):  # without work where a prompt leaves nothing behind
            listings.setdefault(function, Listing(rows))
    return Lowered(target, listings, caches)


def kernel_files(programs: Sequence[Programs], progress: Progress) -> dict[str, KernelFiles]:
    """The kernels' files of every program, by the name of its target. TVM uses all processors."""
    lowered = [one for each in programs for one in (each.base, *each.tuned.values())]
    lowered.sort(key=lambda one: one.target.backend, reverse=True)  # wasm takes longest
    files = {}
    with progress.stage("kernels", total=len(lowered)) as stage, ThreadPoolExecutor() as pool:
        futures = {pool.submit(one.files): one.target.name for one in lowered}
        try:
            for future in as_completed(futures):
                files[futures[future]] = future.result()
                stage.advance(1, futures[future])
        except BaseException:  # Ctrl-C too
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return files
