"""Which products a model's WebGPU kernels compute: what `compile-model tune` measures."""

from __future__ import annotations

from functools import partial

from compiler.build import default_quantization, limits_of
from compiler.checkpoint.open import open_checkpoint
from compiler.graph.quantize import Coding
from compiler.kernels.gpu.tilings import Tiled, candidates, name
from compiler.kernels.specs import Attend, Linear, ProjectAppend
from compiler.lower import targets
from compiler.lower.tensors import Store
from compiler.programs import legal_graphs, lower, trace_functions
from compiler.progress import Progress
from compiler.trace.importer import trace
from compiler.trace.model import build_model, tied_names


def tiled_shapes(
    source: str, quantization: str | None, revision: str | None, progress: Progress
) -> list[Tiled]:
    """The tiled kernels of the model at `source`, each shape once. No weight is read.

    Raises CompileError.
    """
    with open_checkpoint(source, revision) as checkpoint:
        model = build_model(checkpoint.config)
        kept = quantization or default_quantization(checkpoint)
        coding = Coding(checkpoint, tied_names(model), kept, model.base_model_prefix)
        graphs = trace_functions(partial(trace, model), coding, [targets.WEBGPU], progress)
        legal = legal_graphs(graphs, targets.WEBGPU)
        program = lower(legal, targets.WEBGPU, limits_of(model), Store(coding))
    launches = [x for listing in program.listings.values() for x in listing.launches]
    specs = [x.spec for x in launches if isinstance(x.spec, Linear | ProjectAppend | Attend)]
    shapes = {name(spec): spec for spec in specs}
    return [spec for spec in shapes.values() if len(list(candidates(spec))) > 1]
