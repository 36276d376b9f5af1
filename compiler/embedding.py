"""Embedders: what differs from generating text on the way to a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args, get_type_hints

import transformers

from compiler.bundle.schema import Embedding, Manifest
from compiler.checkpoint.base import Checkpoint
from compiler.checkpoint.sentence import SentenceFiles, around, sentence_files
from compiler.errors import CheckpointError, UnsupportedModelError, UsageError
from compiler.graph import ops
from compiler.graph.program import Program
from compiler.lower.steps import Model
from compiler.lower.targets import Target
from compiler.trace.encoder import Pooling, attends, trace_embedding
from compiler.trace.model import build_model
from compiler.trace.positions import skipped

SIZES = (64, 512)  # tokens of the functions that short texts take; the longest texts have their own
LONGEST = 4096  # tokens of a text unless told otherwise: scratch memory grows with them


class Embedder:
    """A checkpoint that turns texts into vectors.

    Tokens of a text run together, through the smallest `embed_<N>` that holds them. Models on
    transformers' attention interface get its kernels; the own attention code of others is compiled
    as it stands, with a mask for the rows that are padding.
    """

    def __init__(self, checkpoint: Checkpoint, files: SentenceFiles, context: int | None) -> None:
        self._config, self._files = checkpoint.config, files
        self._around = around(checkpoint)
        self.model = build_model(self._config, transformers.AutoModel)
        self._traced, self._padded, self._dimensions = self.model, False, 0
        most = min(self._around.limit, _positions(self.model), files.limit or self._around.limit)
        special = len(self._around.before) + len(self._around.after)
        if most <= special:
            raise CheckpointError(
                f"{checkpoint.label} takes texts of {most} tokens, of which {special} are the "
                "tokenizer's own: correct its max_seq_length or model_max_length"
            )
        if context is not None and not 16 <= context <= most:
            raise UsageError(f"--context {context}: choose from 16 to {most} for this model")
        limit = min(most, LONGEST) if context is None else context
        self.limits = Model(self._config.get_text_config().vocab_size, limit)
        self._notes = [_shorter(limit, most)] if limit < most else []

    @staticmethod
    def of(checkpoint: Checkpoint, context: int | None) -> Embedder | None:
        """None for a model that generates text (checkpoint/sentence.py has the rule)."""
        files = sentence_files(checkpoint)
        return None if files is None else Embedder(checkpoint, files, context)

    def targets(self, targets: Sequence[Target]) -> list[Target]:
        """The same with functions `embed_<N>` in place of those that generate."""
        limit = self.limits.context
        sizes = tuple(sorted({min(size, limit) for size in (*SIZES, limit)}))
        return [replace(target, texts=sizes) for target in targets]

    def trace(self, rows: int) -> Program:
        """The program of up to `rows` tokens."""
        program = self._program(rows)
        if not self._padded and attends(program) != self._config.num_hidden_layers:
            self._padded = True
            self._traced = build_model(self._config, transformers.AutoModel, plain=True)
            program = self._program(rows)
            _refuse_gathered_scores(program)
        self._dimensions = int(program.module["main"].ret_ty.fields[0].shape[-1])
        return program

    def _program(self, rows: int) -> Program:
        pooling = Pooling(self._files.modes, self._files.normalised)
        return trace_embedding(self._traced, pooling, rows)

    def described(self, manifest: Manifest) -> Manifest:
        """The manifest with what makes it an embedder's, once something was traced."""
        notes = [*manifest.notes, *self._notes]
        return replace(manifest, embedding=self._embedding(), notes=notes)

    def _embedding(self) -> Embedding:
        files = self._files
        return Embedding(
            dimensions=self._dimensions,
            pooling=[mode for mode in _POOLING if mode in files.modes],
            normalised=files.normalised,
            limit=self.limits.context,
            before=self._around.before,
            after=self._around.after,
            lowercase=files.lowercase,
            prompts=files.prompts or {},
            default_prompt=files.default_prompt,
            padded=self._padded,
        )


_POOLING = get_args(get_args(get_type_hints(Embedding)["pooling"])[0])


def _refuse_gathered_scores(program: Program) -> None:
    """Own attention code that looks its scores up does not match PyTorch yet."""
    gathers = ops.calls(program.module, "relax.gather_elements")
    if any(ops.dtype(call) == "float32" for call in gathers):
        raise UnsupportedModelError(
            "the model looks attention scores up by relative position (gather), which is not "
            "supported yet"
        )


def _positions(model: transformers.PreTrainedModel) -> int:
    """Tokens that the model has positions for."""
    most = int(getattr(model.config.get_text_config(), "max_position_embeddings", LONGEST))
    return most - skipped(model)


def _shorter(limit: int, most: int) -> str:
    return (
        f"texts are cut to {limit:,} tokens; the model takes up to {most:,}: "
        f"--context {most} compiles it so"
    )
