"""ExportedProgram -> Relax, with the attention operator kept opaque."""

from __future__ import annotations

import traceback
import warnings
from dataclasses import replace
from pathlib import Path

import torch
import transformers
from tvm import relax
from tvm.relax.frontend.torch import from_exported_program

from compiler.errors import UnsupportedModelError
from compiler.graph import ops
from compiler.graph.program import Program, Source
from compiler.trace import model
from compiler.trace.narrow import narrow
from compiler.trace.operators import CONVERTERS
from compiler.trace.states import Kept, kept

PREFIX = "model."  # what the wrapper module adds to parameter names


def trace(torch_model: transformers.PreTrainedModel, rows: int) -> Program:
    """The Relax program of `rows` tokens: `main(ids, positions, weights...)` to logits and the new
    value of each state.

    Raises UnsupportedModelError naming the construct that torch or TVM cannot translate.
    """
    try:
        held = kept(torch_model)
        exported = model.export(torch_model, rows, held)
    except UnsupportedModelError:
        raise
    except Exception as error:  # torch.export raises many kinds, all about the model's code
        raise UnsupportedModelError(
            f"torch.export cannot trace this model{_place(error)}: {error}"
        ) from error
    program = replace(import_program(exported), states=held.states)
    _require_cached_layers(program, torch_model, held)
    return program


def _place(error: BaseException) -> str:
    """Where in the model's own code."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).name.startswith("modeling_")]
    return f" ({Path(own[-1].filename).name}:{own[-1].lineno}: {own[-1].line})" if own else ""


def import_program(exported: torch.export.ExportedProgram) -> Program:
    """Translates to Relax and notes which checkpoint tensor each weight parameter is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = from_exported_program(
                exported,
                keep_params_as_input=True,
                custom_convert_map=CONVERTERS,
            )
    except Exception as error:  # the importer raises many kinds, all about an operator
        raise UnsupportedModelError(f"TVM cannot import an operator: {error}") from error
    signature = exported.graph_signature
    tensors = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    main = module["main"].without_attr("params").without_attr("num_input")
    weights = {
        p.name: Source(tensors[p.name].removeprefix(PREFIX))
        for p in main.params
        if p.name in tensors
    }
    module.update_func(module.get_global_var("main"), main)
    return Program(narrow(module), dict(weights))


def _require_cached_layers(
    program: Program, torch_model: transformers.PreTrainedModel, held: Kept
) -> None:
    """Refuses models that look at earlier tokens in any way but through operators: with their own
    attention code, or with a state of another kind, one token at a time would see only itself."""
    calls = ops.calls(program.module, "webkiln.attention")
    if not all(ops.setting(call, "causal") for call in calls):
        raise UnsupportedModelError(
            f"{type(torch_model).__name__} looks at later tokens too; only causal models generate "
            "text"
        )
    positions = program.module["main"].params[1]
    counted = positions in set(relax.analysis.free_vars(program.module["main"].body))
    if not counted and not all(ops.setting(call, "slopes") for call in calls):
        raise UnsupportedModelError(
            f"{type(torch_model).__name__} neither takes positions nor asks its cache for them, "
            "which is not supported yet"
        )
    layers = [int(ops.setting(call, "layer")) for call in calls]
    count = torch_model.config.get_text_config().num_hidden_layers
    known = held.layers.union(layers)
    if known != set(range(count)) or len(set(layers)) < len(layers):
        raise UnsupportedModelError(
            f"{type(torch_model).__name__} does not run all of its {count} layers on transformers' "
            "attention interface or cache; architectures with attention code or a recurrent state "
            "of their own are not supported yet"
        )
