"""What is compiled, wherever it comes from: weights, and programs of any number of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import transformers

from compiler.checkpoint.base import Checkpoint, Weights
from compiler.checkpoint.conversion import Converted
from compiler.checkpoint.lora import Adapted
from compiler.checkpoint.own import OwnCheckpoint
from compiler.embedding import Embedder
from compiler.errors import UsageError
from compiler.graph.program import Program
from compiler.graph.quantize import KEEP, Coding
from compiler.lower.steps import Model
from compiler.lower.targets import Target
from compiler.trace import masks, own
from compiler.trace.importer import trace
from compiler.trace.model import build_model, tied_names
from compiler.trace.positions import skipped
from compiler.trace.states import kept

DEFAULT_CONTEXT = 4096  # positions the engine allocates unless told otherwise
QUANTIZED = ("Q", "IQ", "TQ", "MXFP", "AWQ", "GPTQ", "FP8", "PACKED")  # how quantized types begin


@dataclass(frozen=True)
class Subject:
    """A model ready to be traced."""

    weights: Weights
    architecture: str
    parameters: int
    limits: Model
    coding: Callable[[str], Coding]  # by quantization
    trace: Callable[[int], Program]  # by rows
    recurrent: bool = False  # whether it keeps states that cannot be taken back
    recomputed: str = ""  # why each token needs the whole prefix, where it does
    embedder: Embedder | None = None  # where it turns texts into vectors

    def fitting(self, targets: Sequence[Target]) -> Sequence[Target]:
        """The targets with the functions that a model of this kind has."""
        if self.embedder is not None:
            return self.embedder.targets(targets)
        return [target.one_by_one() for target in targets] if self.recurrent else targets

    def coded(self, quantization: str | None) -> Coding:
        """How its weights are coded; by default as they are if quantized already, else q4."""
        return self.coding(quantization or default_quantization(self.weights))


def open_subject(
    opened: Checkpoint | OwnCheckpoint, lora: Path | None = None, context: int | None = None
) -> Subject:
    """The model of a checkpoint with an adapter merged into it. Raises CompileError."""
    if not isinstance(opened, OwnCheckpoint):
        return _of_transformers(opened, lora, Embedder.of(opened, context))
    if lora is not None:
        raise UsageError(f"--lora {lora} is for models of transformers: merge it in {opened.label}")
    model = own.prepare(opened.module, opened.label, opened.context, context)
    return Subject(
        opened,
        opened.architecture,
        model.parameters,
        Model(model.vocabulary, model.context),
        lambda coding: Coding(opened, tied_names(model.graph), coding),
        model.trace,
        recomputed=model.recomputed,
    )


def _of_transformers(opened: Checkpoint, lora: Path | None, embedder: Embedder | None) -> Subject:
    model = build_model(opened.config) if embedder is None else embedder.model
    converted = Converted(opened, model)
    weights = converted if lora is None else Adapted(converted, lora)
    names, prefix = tied_names(model), model.base_model_prefix
    return Subject(
        weights,
        type(model).__name__,
        sum(p.numel() for p in model.parameters()),
        limits_of(model) if embedder is None else embedder.limits,
        lambda coding: Coding(weights, names, coding, prefix, weights.pieces),
        partial(trace, model) if embedder is None else embedder.trace,
        recurrent=embedder is None and bool(kept(model).states),
        embedder=embedder,
    )


def default_quantization(weights: Weights) -> str:
    """`keep` for sources that are quantized already, `q4` for others."""
    stored = {weights.info(name).stored for name in weights.names()}
    return KEEP if any(name.startswith(QUANTIZED) for name in stored) else "q4"


# What configurations call the positions their model was made for.
_CONTEXT = (
    "max_position_embeddings",
    "max_target_positions",
    "max_seq_len",
    "max_sequence_length",
    "seq_length",
)


def limits_of(model: transformers.PreTrainedModel) -> Model:
    """Its vocabulary, and the positions it was made for and attention can be computed for."""
    config = model.config.get_text_config()
    limit = next((int(n) for key in _CONTEXT if (n := getattr(config, key, None))), DEFAULT_CONTEXT)
    return Model(config.vocab_size, min([limit - skipped(model), *masks.reach(config)]))
