"""What transformers' mask functions say of a layer's attention.

PyTorch's own attention obeys the mask. Some models tell their attention implementation less than
they tell the mask, so it is the mask that is read: a window must not be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch

from compiler.errors import UnsupportedModelError


@dataclass
class Masks:
    """Those made while a model is traced."""

    windows: set[int] = field(default_factory=set)  # tokens; 0: all earlier ones
    given: list[torch.Tensor] = field(default_factory=list)  # to models that index theirs

    def made(self, mask: torch.Tensor) -> bool:
        """Whether it is one of ours, unchanged."""
        return any(mask is each for each in self.given)


_MASKS: ContextVar[Masks] = ContextVar("masks")


@contextmanager
def noted() -> Iterator[Masks]:
    """Notes the masks made inside."""
    masks = Masks()
    token = _MASKS.set(masks)
    try:
        yield masks
    finally:
        _MASKS.reset(token)


def current() -> Masks:
    """Those noted so far; none outside `noted`."""
    return _MASKS.get(Masks())


def make(*, q_length: int, mask_function: Callable[..., Any], config: Any, **_: Any) -> Any:
    """What transformers calls to make a mask: None, as the operator has masks of its own, or, for
    models that choose among the keys they may look at, one of zeros."""
    if (window := _window(mask_function)) is not None:
        current().windows.add(window)
    if getattr(config, "index_topk", None) is None:
        return None
    current().given.append(mask := torch.zeros(1, 1, q_length, q_length))
    return mask


def window(module: torch.nn.Module, layer: int, told: int) -> int:
    """The window of a layer's attention, from the masks, the layer's kind and what it says itself.

    Raises UnsupportedModelError where these differ and leave a choice.
    """
    known = current().windows
    if len(known) == 1:
        return next(iter(known))
    kinds = getattr(getattr(module, "config", None), "layer_types", None) or []
    if told == 0 and kinds[layer : layer + 1] == ["sliding_attention"] and len(known - {0}) == 1:
        return max(known)  # which some leave to the mask
    if known and told not in known:
        raise UnsupportedModelError(
            f"{type(module).__name__} has a window of {told} tokens and its model makes masks with "
            f"windows of {', '.join(map(str, sorted(known)))} (0: none)"
        )
    return told


def _window(function: Callable[..., Any]) -> int | None:
    """Tokens of the window of a causal mask, None of a mask that looks both ways.

    Raises UnsupportedModelError for any other.
    """
    kind = _kind(function)
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    inner = {name: cell.cell_contents for name, cell in cells.items()}
    if kind in ("causal_mask_function", "chunked_overlay", "packed_sequence_mask_function"):
        return 0  # chunks: `limits_of` keeps contexts within the first one
    if kind in ("bidirectional_mask_function", "sliding_window_bidirectional_overlay"):
        return None
    if kind == "sliding_window_overlay":
        return int(inner["sliding_window"])
    if kind == "remap_positions_for_packed_sequence":
        return _window(inner["mask_function"])
    if kind == "and_masks":
        parts = [_window(part) for part in inner["mask_functions"]]
        return None if None in parts else max(part for part in parts if part is not None)
    if kind == "or_masks":  # blocks are of images and sounds, and a text has none
        rest = [part for part in inner["mask_functions"] if _kind(part) != "blockwise_overlay"]
        if len(rest) == 1:
            return _window(rest[0])
    raise UnsupportedModelError(f"masks attention by {kind}, which is not supported yet")


def _kind(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__name__).partition(".")[0]


def reach(config: Any) -> list[int]:
    """Positions up to which attention in chunks is attention to all earlier tokens, and up to which
    models that choose the keys they look at choose all of them."""
    names = ("attention_chunk_size", "index_topk", "index_topk_blocks", "index_block_size")
    chunk, keys, blocks, size = (int(getattr(config, name, None) or 0) for name in names)
    return [limit for limit in (chunk, keys, blocks * size) if limit]
