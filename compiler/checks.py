"""What has to fit together before anything is written, whatever it is written as."""

from __future__ import annotations

import json

from compiler.checkpoint.base import Weights
from compiler.errors import CheckpointError, UnsupportedModelError, UsageError

LEAST_CONTEXT = 16  # positions that a chat takes at the very least


def check_shape(name: str, stored: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Raises CheckpointError for a tensor that is not of the shape the configuration gives it."""
    if tuple(stored) != tuple(expected):
        raise CheckpointError(
            f"{name} is stored with shape {tuple(stored)}, but config.json makes it "
            f"{tuple(expected)}: the configuration and the weights belong to different models"
        )


def check_tokenizer(checkpoint: Weights, vocabulary: int) -> None:
    """Raises CheckpointError for a tokenizer whose ids the model has no embeddings for."""
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


def stop_tokens(checkpoint: Weights, vocabulary: int) -> list[int]:
    """The ids that end an answer of a model with so many tokens; configurations that were never
    adapted to a small vocabulary name others."""
    return [id_ for id_ in checkpoint.tokenizer.stop_tokens if id_ < vocabulary]


def chosen_context(limit: int, wanted: int | None, usual: int) -> int:
    """The positions `wanted`, else the `usual` ones where the model has as many.

    Raises UsageError for a context that a model of `limit` positions cannot have,
    UnsupportedModelError where no context is long enough."""
    if limit < LEAST_CONTEXT:
        raise UnsupportedModelError(
            f"the model has {limit} positions, and {LEAST_CONTEXT} are the least that can be "
            "compiled: correct max_position_embeddings in config.json if that is not so"
        )
    if wanted is not None and not LEAST_CONTEXT <= wanted <= limit:
        raise UsageError(
            f"--context {wanted}: choose from {LEAST_CONTEXT} to {limit} for this model"
        )
    return wanted or min(limit, usual)
