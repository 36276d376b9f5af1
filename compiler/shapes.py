"""Which products a model's WebGPU kernels compute: what `compile-model tune` measures."""

from __future__ import annotations

from compiler.checkpoint.open import open_checkpoint
from compiler.kernels.gpu.tilings import Tiled, candidates, name
from compiler.kernels.specs import Attend, Linear, ProjectAppend
from compiler.lower import targets
from compiler.lower.tensors import Store
from compiler.programs import legal_graphs, lower, trace_functions
from compiler.progress import Progress
from compiler.subject import open_subject


def tiled_shapes(
    source: str, quantization: str | None, revision: str | None, progress: Progress
) -> list[Tiled]:
    """The tiled kernels of the model at `source`, each shape once. No weight is read.

    Raises CompileError.
    """
    with open_checkpoint(source, revision) as checkpoint:
        subject = open_subject(checkpoint)
        coding = subject.coded(quantization)
        (target,) = subject.fitting([targets.WEBGPU])
        graphs = trace_functions(subject, coding, [target], progress)
        legal = legal_graphs(graphs, target)
        program = lower(legal, target, subject.limits, Store(coding))
    launches = [x for listing in program.listings.values() for x in listing.launches]
    specs = [x.spec for x in launches if isinstance(x.spec, Linear | ProjectAppend | Attend)]
    shapes = {name(spec): spec for spec in specs}
    return [spec for spec in shapes.values() if len(list(candidates(spec))) > 1]
